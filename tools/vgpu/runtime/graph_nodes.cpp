// Adding nodes to graphs, and destroying them.
#include <algorithm>

#include "runtime/context.h"
#include "runtime/graph.h"
#include "runtime/graph_access.h"

using namespace vgpu::runtime;

namespace {

cudaError_t dependencies(const Graph& graph, const cudaGraphNode_t* handles, size_t count,
                         std::vector<Node*>& after) {
  if (count != 0 && handles == nullptr) return cudaErrorInvalidValue;
  for (size_t i = 0; i < count; i++) {
    Node* node = vgpu::runtime::node_of(handles[i]);
    if (!graph.owns(node)) return cudaErrorInvalidValue;
    if (std::find(after.begin(), after.end(), node) != after.end()) return cudaErrorInvalidValue;
    after.push_back(node);
  }
  return cudaSuccess;
}

// Adds a node whose work `make(node, work)` supplies, as for nodes that change (graph_access.h).
template <class Make>
cudaError_t add_node(cudaGraphNode_t* result, cudaGraph_t handle, const cudaGraphNode_t* from, size_t count,
                     Make&& make) {
  return api([&] {
    Graph* graph = graph_of(handle);
    if (result == nullptr || graph == nullptr) return cudaErrorInvalidValue;
    std::vector<Node*> after;
    if (const cudaError_t error = dependencies(*graph, from, count, after); error != cudaSuccess)
      return error;
    Work work;
    if (const cudaError_t error = make(Node{}, work); error != cudaSuccess) return error;
    *result = handle_of(graph->add(std::move(work), after));
    return cudaSuccess;
  });
}

cudaError_t add_generic(cudaGraphNode_t* result, cudaGraph_t graph, const cudaGraphNode_t* from, size_t count,
                        cudaGraphNodeParams& params) {
  return add_node(result, graph, from, count,
                  [&](const Node&, Work& work) { return generic_work(params, work); });
}

}  // namespace

VGPU_API cudaError_t cudaGraphAddNode(cudaGraphNode_t* result, cudaGraph_t graph, const cudaGraphNode_t* from,
                                      const cudaGraphEdgeData* data, size_t count,
                                      cudaGraphNodeParams* params) {
  if (params == nullptr) return remember(cudaErrorInvalidValue);
  const cudaError_t error = add_generic(result, graph, from, count, *params);
  if (error != cudaSuccess || data == nullptr) return error;
  Guard guard;
  std::copy(data, data + count, vgpu::runtime::node_of(*result)->edges.begin());
  return cudaSuccess;
}

VGPU_API cudaError_t cudaGraphAddKernelNode(cudaGraphNode_t* result, cudaGraph_t graph,
                                            const cudaGraphNode_t* from, size_t count,
                                            const cudaKernelNodeParams* params) {
  return add_node(result, graph, from, count, [&](const Node&, Work& work) {
    if (params == nullptr) return cudaErrorInvalidValue;
    KernelWork kernel;
    const cudaError_t error = kernel_work(*params, kernel);
    work = std::move(kernel);
    return error;
  });
}

VGPU_API cudaError_t cudaGraphAddMemcpyNode(cudaGraphNode_t* result, cudaGraph_t graph,
                                            const cudaGraphNode_t* from, size_t count,
                                            const cudaMemcpy3DParms* params) {
  return add_node(result, graph, from, count, make_copy(params));
}

VGPU_API cudaError_t cudaGraphAddMemcpyNode1D(cudaGraphNode_t* result, cudaGraph_t graph,
                                              const cudaGraphNode_t* from, size_t count, void* to,
                                              const void* source, size_t bytes, cudaMemcpyKind kind) {
  return add_node(result, graph, from, count, make_copy(to, source, bytes, kind));
}

VGPU_API cudaError_t cudaGraphAddMemcpyNodeToSymbol(cudaGraphNode_t* result, cudaGraph_t graph,
                                                    const cudaGraphNode_t* from, size_t count,
                                                    const void* symbol, const void* source, size_t bytes,
                                                    size_t offset, cudaMemcpyKind kind) {
  return add_node(result, graph, from, count, make_copy_to_symbol(symbol, source, bytes, offset, kind));
}

VGPU_API cudaError_t cudaGraphAddMemcpyNodeFromSymbol(cudaGraphNode_t* result, cudaGraph_t graph,
                                                      const cudaGraphNode_t* from, size_t count, void* to,
                                                      const void* symbol, size_t bytes, size_t offset,
                                                      cudaMemcpyKind kind) {
  return add_node(result, graph, from, count, make_copy_from_symbol(to, symbol, bytes, offset, kind));
}

VGPU_API cudaError_t cudaGraphAddMemsetNode(cudaGraphNode_t* result, cudaGraph_t graph,
                                            const cudaGraphNode_t* from, size_t count,
                                            const cudaMemsetParams* params) {
  return add_node(result, graph, from, count, make_fill(params));
}

VGPU_API cudaError_t cudaGraphAddHostNode(cudaGraphNode_t* result, cudaGraph_t graph,
                                          const cudaGraphNode_t* from, size_t count,
                                          const cudaHostNodeParams* params) {
  if (params == nullptr) return remember(cudaErrorInvalidValue);
  cudaGraphNodeParams generic{};
  generic.type = cudaGraphNodeTypeHost;
  generic.host = {params->fn, params->userData};
  return add_generic(result, graph, from, count, generic);
}

VGPU_API cudaError_t cudaGraphAddChildGraphNode(cudaGraphNode_t* result, cudaGraph_t graph,
                                                const cudaGraphNode_t* from, size_t count,
                                                cudaGraph_t child) {
  cudaGraphNodeParams generic{};
  generic.type = cudaGraphNodeTypeGraph;
  generic.graph = {child, cudaGraphChildGraphOwnershipClone};
  return add_generic(result, graph, from, count, generic);
}

VGPU_API cudaError_t cudaGraphAddEmptyNode(cudaGraphNode_t* result, cudaGraph_t graph,
                                           const cudaGraphNode_t* from, size_t count) {
  cudaGraphNodeParams generic{};
  generic.type = cudaGraphNodeTypeEmpty;
  return add_generic(result, graph, from, count, generic);
}

VGPU_API cudaError_t cudaGraphAddEventRecordNode(cudaGraphNode_t* result, cudaGraph_t graph,
                                                 const cudaGraphNode_t* from, size_t count,
                                                 cudaEvent_t event) {
  cudaGraphNodeParams generic{};
  generic.type = cudaGraphNodeTypeEventRecord;
  generic.eventRecord = {event};
  return add_generic(result, graph, from, count, generic);
}

VGPU_API cudaError_t cudaGraphAddEventWaitNode(cudaGraphNode_t* result, cudaGraph_t graph,
                                               const cudaGraphNode_t* from, size_t count, cudaEvent_t event) {
  cudaGraphNodeParams generic{};
  generic.type = cudaGraphNodeTypeWaitEvent;
  generic.eventWait = {event};
  return add_generic(result, graph, from, count, generic);
}

VGPU_API cudaError_t cudaGraphAddMemAllocNode(cudaGraphNode_t* result, cudaGraph_t graph,
                                              const cudaGraphNode_t* from, size_t count,
                                              cudaMemAllocNodeParams* params) {
  if (params == nullptr) return remember(cudaErrorInvalidValue);
  cudaGraphNodeParams generic{};
  generic.type = cudaGraphNodeTypeMemAlloc;
  generic.alloc = {params->poolProps, params->accessDescs, params->accessDescCount, params->bytesize,
                   nullptr};
  const cudaError_t error = add_generic(result, graph, from, count, generic);
  params->dptr = generic.alloc.dptr;
  return error;
}

VGPU_API cudaError_t cudaGraphAddMemFreeNode(cudaGraphNode_t* result, cudaGraph_t graph,
                                             const cudaGraphNode_t* from, size_t count, void* pointer) {
  cudaGraphNodeParams generic{};
  generic.type = cudaGraphNodeTypeMemFree;
  generic.free = {pointer};
  return add_generic(result, graph, from, count, generic);
}

VGPU_API cudaError_t cudaGraphDestroyNode(cudaGraphNode_t handle) {
  return api([&] {
    Node* node = vgpu::runtime::node_of(handle);
    if (node == nullptr) return cudaErrorInvalidValue;
    node->graph->remove(node);
    return cudaSuccess;
  });
}
