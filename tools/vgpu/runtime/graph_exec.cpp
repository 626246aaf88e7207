// Executable graphs: instantiation, launches, changes of their nodes and updates from another graph.
#include <algorithm>
#include <unordered_set>

#include "runtime/capture.h"
#include "runtime/context.h"
#include "runtime/graph.h"
#include "runtime/graph_access.h"
#include "runtime/graph_launch.h"
#include "runtime/stream.h"

namespace vgpu::runtime {
namespace {

std::unordered_set<GraphExec*>& execs() {
  static auto* all = new std::unordered_set<GraphExec*>;
  return *all;
}

cudaError_t instantiate(cudaGraphExec_t* result, cudaGraph_t handle, unsigned long long flags) {
  const Graph* graph = graph_of(handle);
  if (result == nullptr || graph == nullptr) return cudaErrorInvalidValue;
  if ((flags & cudaGraphInstantiateFlagDeviceLaunch) != 0) return cudaErrorNotSupported;
  if (graph->in_order().size() != graph->nodes.size()) return cudaErrorInvalidValue;
  auto* exec = new GraphExec;
  exec->graph = clone_unshared(*graph);
  exec->flags = flags;
  for (const auto& node : exec->graph->nodes) exec->node_of[node->origin] = node.get();
  execs().insert(exec);
  *result = reinterpret_cast<cudaGraphExec_t>(exec);
  return cudaSuccess;
}

struct Difference {
  cudaGraphExecUpdateResult result = cudaGraphExecUpdateSuccess;
  const Node* node = nullptr;
};

// Nodes correspond by the order in which they were added; dependencies must correspond, too.
Difference difference(const Graph& mine, const Graph& theirs) {
  if (mine.nodes.size() != theirs.nodes.size()) return {cudaGraphExecUpdateErrorTopologyChanged, nullptr};
  std::unordered_map<const Node*, size_t> my_index, their_index;
  for (size_t i = 0; i < mine.nodes.size(); i++) {
    my_index[mine.nodes[i].get()] = i;
    their_index[theirs.nodes[i].get()] = i;
  }
  for (size_t i = 0; i < mine.nodes.size(); i++) {
    const Node& a = *mine.nodes[i];
    const Node& b = *theirs.nodes[i];
    if (a.work.index() != b.work.index()) return {cudaGraphExecUpdateErrorNodeTypeChanged, &b};
    std::vector<size_t> a_after, b_after;
    for (const Node* node : a.after) a_after.push_back(my_index[node]);
    for (const Node* node : b.after) b_after.push_back(their_index[node]);
    std::sort(a_after.begin(), a_after.end());
    std::sort(b_after.begin(), b_after.end());
    if (a_after != b_after) return {cudaGraphExecUpdateErrorTopologyChanged, &b};
    const auto* allocation = std::get_if<AllocateWork>(&a.work);
    if (allocation != nullptr && allocation->bytes != std::get<AllocateWork>(b.work).bytes)
      return {cudaGraphExecUpdateErrorParametersChanged, &b};
    if (const auto* child = std::get_if<ChildGraphWork>(&a.work)) {
      const Difference inner = difference(*child->graph, *std::get<ChildGraphWork>(b.work).graph);
      if (inner.result != cudaGraphExecUpdateSuccess) return inner;
    }
  }
  return {};
}

void take_over(GraphExec& exec, const Graph& graph) {
  std::unique_ptr<Graph> copy = clone_unshared(graph);
  for (size_t i = 0; i < exec.graph->nodes.size(); i++) {
    copy->nodes[i]->enabled = exec.graph->nodes[i]->enabled;
    // The node of the first source graph stays a valid name for its successor, beside the new graph's node.
    for (auto& [origin, node] : exec.node_of)
      if (node == exec.graph->nodes[i].get()) node = copy->nodes[i].get();
    exec.node_of[copy->nodes[i]->origin] = copy->nodes[i].get();
  }
  exec.graph = std::move(copy);
  forget_lanes(exec);
}

}  // namespace

GraphExec* exec_of(cudaGraphExec_t handle) {
  auto* exec = reinterpret_cast<GraphExec*>(handle);
  return execs().contains(exec) ? exec : nullptr;
}

void destroy_execs() {
  for (GraphExec* exec : execs()) delete exec;
  execs().clear();
}

}  // namespace vgpu::runtime

using namespace vgpu::runtime;

namespace {

template <class Body>
cudaError_t exec_api(cudaGraphExec_t handle, Body&& body) {
  return api([&] {
    GraphExec* exec = exec_of(handle);
    return exec == nullptr ? cudaErrorInvalidValue : body(*exec);
  });
}

// The exec's node for a node of the graph that it was made from.
auto inner(cudaGraphExec_t handle, cudaGraphNode_t node) {
  return [handle, node]() -> Node* {
    GraphExec* exec = exec_of(handle);
    if (exec == nullptr) return nullptr;
    const auto found = exec->node_of.find(reinterpret_cast<const Node*>(node));
    return found == exec->node_of.end() ? nullptr : found->second;
  };
}

}  // namespace

VGPU_API cudaError_t cudaGraphInstantiate(cudaGraphExec_t* result, cudaGraph_t graph,
                                          unsigned long long flags) {
  return api([&] { return instantiate(result, graph, flags); });
}

VGPU_API cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* result, cudaGraph_t graph,
                                                   unsigned long long flags) {
  return cudaGraphInstantiate(result, graph, flags);
}

VGPU_API cudaError_t cudaGraphInstantiateWithParams(cudaGraphExec_t* result, cudaGraph_t graph,
                                                    cudaGraphInstantiateParams* params) {
  return api([&] {
    if (params == nullptr) return cudaErrorInvalidValue;
    const cudaError_t error = instantiate(result, graph, params->flags);
    params->errNode_out = nullptr;
    params->result_out = error == cudaSuccess ? cudaGraphInstantiateSuccess : cudaGraphInstantiateError;
    return error;
  });
}

VGPU_API cudaError_t cudaGraphExecDestroy(cudaGraphExec_t handle) {
  return exec_api(handle, [](GraphExec& exec) {
    execs().erase(&exec);
    const cudaError_t error = finish_launches(exec);
    delete &exec;
    return error;
  });
}

VGPU_API cudaError_t cudaGraphLaunch(cudaGraphExec_t handle, cudaStream_t stream) {
  return exec_api(handle, [&](GraphExec& exec) { return launch_graph(exec, stream); });
}

VGPU_API cudaError_t cudaGraphUpload(cudaGraphExec_t handle, cudaStream_t stream) {
  return exec_api(handle, [&](GraphExec&) {
    return stream_of(stream) == nullptr ? cudaErrorInvalidResourceHandle : cudaSuccess;
  });
}

VGPU_API cudaError_t cudaGraphExecGetFlags(cudaGraphExec_t handle, unsigned long long* flags) {
  return exec_api(handle, [&](const GraphExec& exec) {
    if (flags == nullptr) return cudaErrorInvalidValue;
    *flags = exec.flags;
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaGraphExecUpdate(cudaGraphExec_t handle, cudaGraph_t graph_handle,
                                         cudaGraphExecUpdateResultInfo* info) {
  return exec_api(handle, [&](GraphExec& exec) {
    const Graph* graph = graph_of(graph_handle);
    if (graph == nullptr) return cudaErrorInvalidValue;
    const Difference found = difference(*exec.graph, *graph);
    if (info != nullptr) *info = {found.result, handle_of(const_cast<Node*>(found.node)), nullptr};
    if (found.result != cudaGraphExecUpdateSuccess) return cudaErrorGraphExecUpdateFailure;
    take_over(exec, *graph);
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaGraphNodeSetEnabled(cudaGraphExec_t exec, cudaGraphNode_t handle, unsigned enabled) {
  return api([&] {
    Node* node = inner(exec, handle)();
    if (node == nullptr) return cudaErrorInvalidValue;
    const cudaGraphNodeType type = type_of(node->work);
    if (type != cudaGraphNodeTypeKernel && type != cudaGraphNodeTypeMemcpy && type != cudaGraphNodeTypeMemset)
      return cudaErrorInvalidValue;
    node->enabled = enabled != 0;
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaGraphNodeGetEnabled(cudaGraphExec_t exec, cudaGraphNode_t handle,
                                             unsigned* enabled) {
  return api([&] {
    const Node* node = inner(exec, handle)();
    if (node == nullptr || enabled == nullptr) return cudaErrorInvalidValue;
    *enabled = node->enabled ? 1 : 0;
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaGraphExecKernelNodeSetParams(cudaGraphExec_t exec, cudaGraphNode_t node,
                                                      const cudaKernelNodeParams* params) {
  return set_node(inner(exec, node), make_kernel(params));
}

VGPU_API cudaError_t cudaGraphExecMemcpyNodeSetParams(cudaGraphExec_t exec, cudaGraphNode_t node,
                                                      const cudaMemcpy3DParms* params) {
  return set_node(inner(exec, node), make_copy(params));
}

VGPU_API cudaError_t cudaGraphExecMemcpyNodeSetParams1D(cudaGraphExec_t exec, cudaGraphNode_t node, void* to,
                                                        const void* from, size_t bytes, cudaMemcpyKind kind) {
  return set_node(inner(exec, node), make_copy(to, from, bytes, kind));
}

VGPU_API cudaError_t cudaGraphExecMemcpyNodeSetParamsToSymbol(cudaGraphExec_t exec, cudaGraphNode_t node,
                                                              const void* symbol, const void* from,
                                                              size_t bytes, size_t offset,
                                                              cudaMemcpyKind kind) {
  return set_node(inner(exec, node), make_copy_to_symbol(symbol, from, bytes, offset, kind));
}

VGPU_API cudaError_t cudaGraphExecMemcpyNodeSetParamsFromSymbol(cudaGraphExec_t exec, cudaGraphNode_t node,
                                                                void* to, const void* symbol, size_t bytes,
                                                                size_t offset, cudaMemcpyKind kind) {
  return set_node(inner(exec, node), make_copy_from_symbol(to, symbol, bytes, offset, kind));
}

VGPU_API cudaError_t cudaGraphExecMemsetNodeSetParams(cudaGraphExec_t exec, cudaGraphNode_t node,
                                                      const cudaMemsetParams* params) {
  return set_node(inner(exec, node), make_fill(params));
}

VGPU_API cudaError_t cudaGraphExecHostNodeSetParams(cudaGraphExec_t exec, cudaGraphNode_t node,
                                                    const cudaHostNodeParams* params) {
  return set_node(inner(exec, node), make_host(params));
}

VGPU_API cudaError_t cudaGraphExecChildGraphNodeSetParams(cudaGraphExec_t exec, cudaGraphNode_t handle,
                                                          cudaGraph_t child) {
  return api([&] {
    Node* node = inner(exec, handle)();
    const Graph* graph = graph_of(child);
    auto* work = node == nullptr ? nullptr : std::get_if<ChildGraphWork>(&node->work);
    if (work == nullptr || graph == nullptr) return cudaErrorInvalidValue;
    if (difference(*work->graph, *graph).result != cudaGraphExecUpdateSuccess) return cudaErrorInvalidValue;
    destroy_graph(work->graph.get());
    work->graph = register_graph(clone(*graph));
    work->graph->owned_by_node = true;
    forget_lanes(*exec_of(exec));
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaGraphExecEventRecordNodeSetEvent(cudaGraphExec_t exec, cudaGraphNode_t node,
                                                          cudaEvent_t event) {
  return set_node(inner(exec, node), make_event<RecordWork>(event));
}

VGPU_API cudaError_t cudaGraphExecEventWaitNodeSetEvent(cudaGraphExec_t exec, cudaGraphNode_t node,
                                                        cudaEvent_t event) {
  return set_node(inner(exec, node), make_event<WaitWork>(event));
}

VGPU_API cudaError_t cudaGraphExecNodeSetParams(cudaGraphExec_t exec, cudaGraphNode_t node,
                                                cudaGraphNodeParams* params) {
  return set_node(inner(exec, node), make_generic(params));
}
