// Graph objects: creation, edges, order, cloning and destruction.
#include "runtime/graph.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <unordered_set>

#include "core/device_memory.h"
#include "runtime/context.h"
#include "runtime/lazy.h"
#include "runtime/memory.h"
#include "runtime/stream.h"

namespace vgpu::runtime {
namespace {

// Live graphs by address; a child graph is kept by its node, too.
std::unordered_map<const Graph*, std::shared_ptr<Graph>>& graphs() {
  static auto* all = new std::unordered_map<const Graph*, std::shared_ptr<Graph>>;
  return *all;
}

std::unordered_set<const Node*>& live_nodes() {
  static auto* all = new std::unordered_set<const Node*>;
  return *all;
}

std::map<uint64_t, std::weak_ptr<GraphAllocation>>& graph_allocations() {
  static auto* all = new std::map<uint64_t, std::weak_ptr<GraphAllocation>>;
  return *all;
}

void copy_nodes(const Graph& from, Graph& to) {
  std::unordered_map<const Node*, Node*> copy_of;
  for (const auto& node : from.nodes) {
    Work work = node->work;
    if (auto* child = std::get_if<ChildGraphWork>(&work)) {
      child->graph = register_graph(clone(*child->graph));
      child->graph->owned_by_node = true;
    }
    Node* copy = to.add(std::move(work), {});
    copy->id = node->id;
    copy->origin = node.get();
    copy->enabled = node->enabled;
    copy_of[node.get()] = copy;
  }
  for (const auto& node : from.nodes) {
    Node* copy = copy_of[node.get()];
    for (const Node* dependency : node->after) copy->after.push_back(copy_of[dependency]);
    copy->edges = node->edges;
  }
  to.next_id = from.next_id;
  for (const auto& [object, count] : from.objects) {
    object->references += count;
    to.objects.emplace_back(object, count);
  }
}

}  // namespace

GraphAllocation::~GraphAllocation() {
  if (address != 0) DeviceMemory::instance().release(address);
  graph_allocations().erase(address);
}

Graph::~Graph() {
  for (const auto& [object, count] : objects) release(*object, count);
  for (const auto& node : nodes) {
    live_nodes().erase(node.get());
    if (auto* child = std::get_if<ChildGraphWork>(&node->work)) graphs().erase(child->graph.get());
  }
}

Node* Graph::add(Work work, const std::vector<Node*>& after) {
  auto node = std::make_unique<Node>();
  node->graph = this;
  node->id = next_id++;
  node->work = std::move(work);
  for (Node* dependency : after) {
    if (std::find(node->after.begin(), node->after.end(), dependency) != node->after.end()) continue;
    node->after.push_back(dependency);
    node->edges.push_back({});
  }
  live_nodes().insert(node.get());
  nodes.push_back(std::move(node));
  return nodes.back().get();
}

void Graph::remove(Node* node) {
  for (const auto& other : nodes) remove_edge(node, other.get());
  live_nodes().erase(node);
  if (const auto* child = std::get_if<ChildGraphWork>(&node->work)) destroy_graph(child->graph.get());
  std::erase_if(nodes, [&](const auto& other) { return other.get() == node; });
}

bool Graph::owns(const Node* node) const {
  return node != nullptr && node->graph == this;
}

bool Graph::add_edge(Node* from, Node* to, const cudaGraphEdgeData* data) {
  if (std::find(to->after.begin(), to->after.end(), from) != to->after.end()) return false;
  to->after.push_back(from);
  to->edges.push_back(data != nullptr ? *data : cudaGraphEdgeData{});
  return true;
}

bool Graph::remove_edge(Node* from, Node* to) {
  const auto found = std::find(to->after.begin(), to->after.end(), from);
  if (found == to->after.end()) return false;
  to->edges.erase(to->edges.begin() + (found - to->after.begin()));
  to->after.erase(found);
  return true;
}

std::vector<Node*> Graph::in_order() const {
  std::vector<Node*> order;
  std::unordered_map<const Node*, size_t> waiting;
  std::unordered_map<const Node*, std::vector<Node*>> dependents;
  for (const auto& node : nodes) {
    waiting[node.get()] = node->after.size();
    for (const Node* dependency : node->after) dependents[dependency].push_back(node.get());
    if (node->after.empty()) order.push_back(node.get());
  }
  for (size_t i = 0; i < order.size(); i++)
    for (Node* next : dependents[order[i]])
      if (--waiting[next] == 0) order.push_back(next);
  return order;
}

GraphExec::~GraphExec() {
  for (const uint32_t lane : lanes) retire_lane(lane);
}

Graph* graph_of(cudaGraph_t handle) {
  const auto found = graphs().find(reinterpret_cast<const Graph*>(handle));
  return found == graphs().end() ? nullptr : found->second.get();
}

Node* node_of(cudaGraphNode_t handle) {
  auto* node = reinterpret_cast<Node*>(handle);
  return live_nodes().contains(node) ? node : nullptr;
}

std::unique_ptr<Graph> clone_unshared(const Graph& graph) {
  auto copy = std::make_unique<Graph>();
  copy_nodes(graph, *copy);
  return copy;
}

std::shared_ptr<Graph> clone(const Graph& graph) {
  return clone_unshared(graph);
}

std::shared_ptr<Graph> register_graph(std::shared_ptr<Graph> graph) {
  graphs()[graph.get()] = graph;
  return graph;
}

void destroy_graph(Graph* graph) {
  const auto found = graphs().find(graph);
  if (found == graphs().end()) return;
  const std::shared_ptr<Graph> keep = std::move(found->second);  // its destructor changes the table
  graphs().erase(found);
}

void destroy_graphs() {
  const auto all = std::move(graphs());
  graphs().clear();
}

void release(UserObject& object, uint64_t count) {
  object.references -= std::min(object.references, count);
  if (object.references != 0) return;
  HostFunctionScope scope;
  object.destroy(object.data);
  delete &object;
}

cudaGraphNodeType type_of(const Work& work) {
  static constexpr cudaGraphNodeType kTypes[] = {cudaGraphNodeTypeEmpty,     cudaGraphNodeTypeKernel,
                                                 cudaGraphNodeTypeMemcpy,    cudaGraphNodeTypeMemset,
                                                 cudaGraphNodeTypeHost,      cudaGraphNodeTypeEventRecord,
                                                 cudaGraphNodeTypeWaitEvent, cudaGraphNodeTypeGraph,
                                                 cudaGraphNodeTypeMemAlloc,  cudaGraphNodeTypeMemFree};
  static_assert(std::size(kTypes) == std::variant_size_v<Work>);
  return kTypes[work.index()];
}

cudaError_t run_in_order(const Graph& graph) {
  for (const Node* node : graph.in_order()) {
    if (!node->enabled) continue;
    const cudaError_t error = run_now(node->work, nullptr);
    if (error != cudaSuccess) return error;
    if (sticky_error() != cudaSuccess) return cudaSuccess;
  }
  return cudaSuccess;
}

std::shared_ptr<GraphAllocation> new_graph_allocation(uint64_t bytes) {
  constexpr uint64_t kAlignment = 512;
  auto allocation = std::make_shared<GraphAllocation>();
  allocation->address =
      DeviceMemory::instance().allocate(bytes, kAlignment, MemoryKind::Device, "graph allocation node");
  allocation->bytes = bytes;
  if (allocation->address == 0) return nullptr;
  graph_allocations()[allocation->address] = allocation;
  return allocation;
}

std::shared_ptr<GraphAllocation> graph_allocation_at(uint64_t address) {
  const auto found = graph_allocations().find(address);
  return found == graph_allocations().end() ? nullptr : found->second.lock();
}

GraphMemory graph_memory() {
  GraphMemory sum;
  for (const auto& [address, weak] : graph_allocations()) {
    const auto allocation = weak.lock();
    if (!allocation) continue;
    sum.reserved += allocation->bytes;
    if (allocation->live) sum.used += allocation->bytes;
  }
  return sum;
}

cudaError_t allocate_in_graph(GraphAllocation& allocation) {
  if (allocation.live) return cudaErrorInvalidValue;
  allocation.live = true;
  DeviceMemory& memory = DeviceMemory::instance();
  std::memset(memory.shadow(allocation.address), 0, allocation.bytes);  // its contents are undefined again
  return cudaSuccess;
}

cudaError_t free_in_graph(GraphAllocation& allocation) {
  if (!allocation.live) return cudaErrorInvalidValue;
  allocation.live = false;
  return cudaSuccess;
}

}  // namespace vgpu::runtime

using namespace vgpu::runtime;

VGPU_API cudaError_t cudaGraphCreate(cudaGraph_t* result, unsigned flags) {
  return api([&] {
    if (result == nullptr || flags != 0) return cudaErrorInvalidValue;
    *result = handle_of(register_graph(std::make_shared<Graph>()).get());
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaGraphDestroy(cudaGraph_t handle) {
  return api([&] {
    Graph* graph = graph_of(handle);
    if (graph == nullptr || graph->owned_by_node) return cudaErrorInvalidValue;
    destroy_graph(graph);
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaGraphClone(cudaGraph_t* result, cudaGraph_t handle) {
  return api([&] {
    const Graph* graph = graph_of(handle);
    if (result == nullptr || graph == nullptr) return cudaErrorInvalidValue;
    *result = handle_of(register_graph(clone(*graph)).get());
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaGraphNodeFindInClone(cudaGraphNode_t* result, cudaGraphNode_t original,
                                              cudaGraph_t handle) {
  return api([&] {
    const Graph* graph = graph_of(handle);
    const Node* wanted = node_of(original);
    if (result == nullptr || graph == nullptr || wanted == nullptr) return cudaErrorInvalidValue;
    for (const auto& node : graph->nodes) {
      if (node->origin != wanted) continue;
      *result = handle_of(node.get());
      return cudaSuccess;
    }
    return cudaErrorInvalidValue;
  });
}
