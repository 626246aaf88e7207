// Graphs: nodes with work and the edges between them, and executable graphs made from them.
#pragma once

#include <cuda_runtime_api.h>

#include <memory>
#include <unordered_map>
#include <vector>

#include "runtime/work.h"

namespace vgpu::runtime {

struct Operation;

struct Node {  // a cudaGraphNode_t points at one
  Graph* graph = nullptr;
  uint64_t id = 0;
  Work work;
  std::vector<Node*> after;              // dependencies, each once
  std::vector<cudaGraphEdgeData> edges;  // one for each of `after`
  const Node* origin = nullptr;          // in a clone: the node it was made from
  bool enabled = true;
};

struct GraphAllocation {  // memory of an allocation node: its address stays the same through all launches
  uint64_t address = 0, bytes = 0;
  bool live = false;
  ~GraphAllocation();
};

struct UserObject {  // a cudaUserObject_t points at one
  cudaHostFn_t destroy = nullptr;
  void* data = nullptr;
  uint64_t references = 0;
};

struct Graph {  // a cudaGraph_t points at one
  std::vector<std::unique_ptr<Node>> nodes;
  std::vector<std::pair<UserObject*, unsigned>> objects;
  uint64_t next_id = 0;
  bool owned_by_node = false;  // a child graph: cudaGraphDestroy must leave it alone
  ~Graph();

  Node* add(Work work, const std::vector<Node*>& after);
  void remove(Node* node);
  bool owns(const Node* node) const;
  bool add_edge(Node* from, Node* to, const cudaGraphEdgeData* data);  // false: it exists
  bool remove_edge(Node* from, Node* to);
  std::vector<Node*> in_order() const;  // dependencies first; shorter than `nodes` when there is a cycle
};

struct GraphExec {                                 // a cudaGraphExec_t points at one
  std::unique_ptr<Graph> graph;                    // a clone
  std::unordered_map<const Node*, Node*> node_of;  // by the node of the source graph
  unsigned long long flags = 0;
  std::unordered_map<const Node*, uint32_t> lane_of;  // lazy mode
  std::vector<uint32_t> lanes;
  std::shared_ptr<Operation> last;  // launches of one executable graph follow each other
  ~GraphExec();
};

Graph* graph_of(cudaGraph_t handle);    // nullptr for anything but a live graph
Node* node_of(cudaGraphNode_t handle);  // nullptr for anything but a node of a live graph
GraphExec* exec_of(cudaGraphExec_t handle);
inline cudaGraph_t handle_of(Graph* graph) {
  return reinterpret_cast<cudaGraph_t>(graph);
}
inline cudaGraphNode_t handle_of(Node* node) {
  return reinterpret_cast<cudaGraphNode_t>(node);
}

std::shared_ptr<Graph> clone(const Graph& graph);
std::unique_ptr<Graph> clone_unshared(const Graph& graph);
std::shared_ptr<Graph> register_graph(std::shared_ptr<Graph> graph);
void destroy_graph(Graph* graph);
void destroy_graphs();  // cudaDeviceReset
void release(UserObject& object, uint64_t count);

cudaGraphNodeType type_of(const Work& work);
// Runs all enabled nodes, dependencies first.
cudaError_t run_in_order(const Graph& graph);
cudaError_t allocate_in_graph(GraphAllocation& allocation);
cudaError_t free_in_graph(GraphAllocation& allocation);
// The graph allocation that starts at the address, live or not; nullptr for none.
std::shared_ptr<GraphAllocation> graph_allocation_at(uint64_t address);
std::shared_ptr<GraphAllocation> new_graph_allocation(uint64_t bytes);

struct GraphMemory {
  uint64_t used = 0, reserved = 0;
};
GraphMemory graph_memory();  // of all allocation nodes

// Gives a node other work of the same kind.
cudaError_t replace_work(Node& node, Work work);

// Translation between the API's parameter structures and Work (graph_params.cpp).
cudaError_t kernel_work(const cudaKernelNodeParams& params, KernelWork& work);
cudaError_t copy_work(const cudaMemcpy3DParms& params, CopyWork& work);
cudaError_t copy_work(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, CopyWork& work);
cudaError_t fill_work(const cudaMemsetParams& params, FillWork& work);
cudaError_t generic_work(cudaGraphNodeParams& params, Work& work);
cudaMemcpy3DParms copy_params(const CopyWork& work);

}  // namespace vgpu::runtime
