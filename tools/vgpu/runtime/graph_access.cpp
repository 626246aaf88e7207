// Reading and changing the parameters of graph nodes.
#include "runtime/graph_access.h"

#include <vector>

using namespace vgpu::runtime;

namespace vgpu::runtime {

cudaError_t replace_work(Node& node, Work work) {
  if (node.work.index() != work.index()) return cudaErrorInvalidValue;
  node.work = std::move(work);
  return cudaSuccess;
}

}  // namespace vgpu::runtime

namespace {

auto plain(cudaGraphNode_t handle) {
  return [handle] { return vgpu::runtime::node_of(handle); };
}

// body(work of the wanted kind).
template <class Wanted, class Body>
cudaError_t with_work(cudaGraphNode_t handle, const void* result, Body&& body) {
  return api([&] {
    Node* node = vgpu::runtime::node_of(handle);
    auto* work = node == nullptr ? nullptr : std::get_if<Wanted>(&node->work);
    return work == nullptr || result == nullptr ? cudaErrorInvalidValue : body(*work);
  });
}

cudaEvent_t handle_of_event(Event* event) {
  return reinterpret_cast<cudaEvent_t>(event);
}

}  // namespace

VGPU_API cudaError_t cudaGraphKernelNodeGetParams(cudaGraphNode_t node, cudaKernelNodeParams* params) {
  return with_work<KernelWork>(node, params, [&](KernelWork& work) {
    *params = {};
    const void* function = work.kernel->host_function;
    params->func = const_cast<void*>(function != nullptr ? function : work.kernel);
    params->gridDim = {work.grid.x, work.grid.y, work.grid.z};
    params->blockDim = {work.block.x, work.block.y, work.block.z};
    params->sharedMemBytes = work.dynamic_shared;
    // Pointers into the node's own copy: they hold until its parameters are set again.
    work.pointers.clear();
    for (const uint32_t offset : work.kernel->code->param_offsets)
      work.pointers.push_back(work.arguments.data() + offset);
    params->kernelParams = work.pointers.data();
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaGraphKernelNodeSetParams(cudaGraphNode_t node, const cudaKernelNodeParams* params) {
  return set_node(plain(node), make_kernel(params));
}

VGPU_API cudaError_t cudaGraphKernelNodeGetAttribute(cudaGraphNode_t node, cudaKernelNodeAttrID attribute,
                                                     cudaKernelNodeAttrValue* value) {
  return with_work<KernelWork>(node, value, [&](const KernelWork& work) {
    *value = {};
    if (attribute == cudaLaunchAttributeCooperative) value->cooperative = work.cooperative ? 1 : 0;
    if (attribute == cudaLaunchAttributePriority) value->priority = work.priority;
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaGraphKernelNodeSetAttribute(cudaGraphNode_t node, cudaKernelNodeAttrID attribute,
                                                     const cudaKernelNodeAttrValue* value) {
  return with_work<KernelWork>(node, value, [&](KernelWork& work) {
    if (attribute == cudaLaunchAttributeCooperative) work.cooperative = value->cooperative != 0;
    if (attribute == cudaLaunchAttributePriority) work.priority = value->priority;
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaGraphKernelNodeCopyAttributes(cudaGraphNode_t to, cudaGraphNode_t from) {
  return with_work<KernelWork>(to, to, [&](KernelWork& work) {
    const Node* source = vgpu::runtime::node_of(from);
    const auto* other = source == nullptr ? nullptr : std::get_if<KernelWork>(&source->work);
    if (other == nullptr) return cudaErrorInvalidValue;
    work.cooperative = other->cooperative;
    work.priority = other->priority;
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaGraphMemcpyNodeGetParams(cudaGraphNode_t node, cudaMemcpy3DParms* params) {
  return with_work<CopyWork>(node, params, [&](const CopyWork& work) {
    *params = copy_params(work);
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaGraphMemcpyNodeSetParams(cudaGraphNode_t node, const cudaMemcpy3DParms* params) {
  return set_node(plain(node), make_copy(params));
}

VGPU_API cudaError_t cudaGraphMemcpyNodeSetParams1D(cudaGraphNode_t node, void* to, const void* from,
                                                    size_t bytes, cudaMemcpyKind kind) {
  return set_node(plain(node), make_copy(to, from, bytes, kind));
}

VGPU_API cudaError_t cudaGraphMemcpyNodeSetParamsToSymbol(cudaGraphNode_t node, const void* symbol,
                                                          const void* from, size_t bytes, size_t offset,
                                                          cudaMemcpyKind kind) {
  return set_node(plain(node), make_copy_to_symbol(symbol, from, bytes, offset, kind));
}

VGPU_API cudaError_t cudaGraphMemcpyNodeSetParamsFromSymbol(cudaGraphNode_t node, void* to,
                                                            const void* symbol, size_t bytes, size_t offset,
                                                            cudaMemcpyKind kind) {
  return set_node(plain(node), make_copy_from_symbol(to, symbol, bytes, offset, kind));
}

VGPU_API cudaError_t cudaGraphMemsetNodeGetParams(cudaGraphNode_t node, cudaMemsetParams* params) {
  return with_work<FillWork>(node, params, [&](const FillWork& work) {
    *params = {reinterpret_cast<void*>(work.to.address),
               work.to.pitch,
               work.value,
               work.element,
               work.width / work.element,
               work.height};
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaGraphMemsetNodeSetParams(cudaGraphNode_t node, const cudaMemsetParams* params) {
  return set_node(plain(node), make_fill(params));
}

VGPU_API cudaError_t cudaGraphHostNodeGetParams(cudaGraphNode_t node, cudaHostNodeParams* params) {
  return with_work<HostWork>(node, params, [&](const HostWork& work) {
    *params = {work.function, work.data};
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaGraphHostNodeSetParams(cudaGraphNode_t node, const cudaHostNodeParams* params) {
  return set_node(plain(node), make_host(params));
}

VGPU_API cudaError_t cudaGraphChildGraphNodeGetGraph(cudaGraphNode_t node, cudaGraph_t* graph) {
  return with_work<ChildGraphWork>(node, graph, [&](const ChildGraphWork& work) {
    *graph = handle_of(work.graph.get());
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaGraphEventRecordNodeGetEvent(cudaGraphNode_t node, cudaEvent_t* event) {
  return with_work<RecordWork>(node, event, [&](const RecordWork& work) {
    *event = handle_of_event(work.event);
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaGraphEventRecordNodeSetEvent(cudaGraphNode_t node, cudaEvent_t event) {
  return set_node(plain(node), make_event<RecordWork>(event));
}

VGPU_API cudaError_t cudaGraphEventWaitNodeGetEvent(cudaGraphNode_t node, cudaEvent_t* event) {
  return with_work<WaitWork>(node, event, [&](const WaitWork& work) {
    *event = handle_of_event(work.event);
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaGraphEventWaitNodeSetEvent(cudaGraphNode_t node, cudaEvent_t event) {
  return set_node(plain(node), make_event<WaitWork>(event));
}

VGPU_API cudaError_t cudaGraphMemAllocNodeGetParams(cudaGraphNode_t node, cudaMemAllocNodeParams* params) {
  return with_work<AllocateWork>(node, params, [&](const AllocateWork& work) {
    *params = {};
    params->poolProps.allocType = cudaMemAllocationTypePinned;
    params->poolProps.location = {cudaMemLocationTypeDevice, 0};
    params->bytesize = work.bytes;
    params->dptr = reinterpret_cast<void*>(work.address);
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaGraphMemFreeNodeGetParams(cudaGraphNode_t node, void* pointer) {
  return with_work<FreeWork>(node, pointer, [&](const FreeWork& work) {
    *static_cast<void**>(pointer) = reinterpret_cast<void*>(work.address);
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaGraphNodeSetParams(cudaGraphNode_t node, cudaGraphNodeParams* params) {
  return set_node(plain(node), make_generic(params));
}
