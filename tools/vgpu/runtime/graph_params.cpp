// Parameter structures of graph nodes to pieces of work and back.
#include "runtime/context.h"
#include "runtime/copy.h"
#include "runtime/event.h"
#include "runtime/graph.h"
#include "runtime/launch.h"
#include "runtime/memory.h"

namespace vgpu::runtime {
namespace {

cudaError_t copied(CopyWork& work) {
  if (work.bytes() == 0) return cudaErrorInvalidValue;
  return check_copy(work);
}

cudaError_t allocation_work(cudaMemAllocNodeParamsV2& params, Work& work) {
  if (params.bytesize == 0 || params.poolProps.location.type != cudaMemLocationTypeDevice ||
      params.poolProps.location.id != 0)
    return cudaErrorInvalidValue;
  const auto allocation = new_graph_allocation(params.bytesize);
  if (allocation == nullptr) return cudaErrorMemoryAllocation;
  params.dptr = reinterpret_cast<void*>(allocation->address);
  work = AllocateWork{allocation->address, params.bytesize, allocation};
  return cudaSuccess;
}

cudaError_t free_work(void* pointer, Work& work) {
  const auto allocation = graph_allocation_at(address_of(pointer));
  if (allocation == nullptr) return cudaErrorInvalidValue;
  work = FreeWork{allocation->address, allocation->bytes, allocation};
  return cudaSuccess;
}

cudaError_t event_work(cudaEvent_t handle, bool record, Work& work) {
  Event* event = event_of(handle);
  if (event == nullptr) return cudaErrorInvalidResourceHandle;
  if (record) {
    work = RecordWork{event};
  } else {
    work = WaitWork{event};
  }
  return cudaSuccess;
}

cudaError_t child_work(cudaChildGraphNodeParams& params, Work& work) {
  const Graph* graph = graph_of(params.graph);
  if (graph == nullptr) return cudaErrorInvalidValue;
  ChildGraphWork child{register_graph(clone(*graph))};
  child.graph->owned_by_node = true;
  if (params.ownership == cudaGraphChildGraphOwnershipMove) destroy_graph(graph_of(params.graph));
  params.graph = handle_of(child.graph.get());
  work = std::move(child);
  return cudaSuccess;
}

template <class Specific>
cudaError_t keep(cudaError_t error, Specific&& specific, Work& work) {
  if (error == cudaSuccess) work = std::forward<Specific>(specific);
  return error;
}

}  // namespace

cudaError_t kernel_work(const cudaKernelNodeParams& params, KernelWork& work) {
  if (params.extra != nullptr) return cudaErrorNotSupported;
  const LaunchConfig config{params.gridDim, params.blockDim, params.sharedMemBytes, work.cooperative};
  return prepare_launch(Registry::instance().kernel(params.func), config, params.kernelParams, work);
}

cudaError_t copy_work(const cudaMemcpy3DParms& params, CopyWork& work) {
  const cudaError_t error = pitched_copy(params, work);
  return error != cudaSuccess ? error : copied(work);
}

cudaError_t copy_work(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, CopyWork& work) {
  work = flat_copy(address_of(to), address_of(from), bytes, kind);
  return copied(work);
}

cudaError_t fill_work(const cudaMemsetParams& params, FillWork& work) {
  const bool known = params.elementSize == 1 || params.elementSize == 2 || params.elementSize == 4;
  if (!known || params.width == 0 || params.height == 0) return cudaErrorInvalidValue;
  work = {};
  work.to = {address_of(params.dst), params.pitch, params.pitch * params.height};
  work.value = params.value;
  work.element = params.elementSize;
  work.width = params.width * params.elementSize;
  work.height = params.height;
  return check_fill(work);
}

cudaError_t generic_work(cudaGraphNodeParams& p, Work& work) {
  switch (p.type) {
    case cudaGraphNodeTypeKernel: {
      KernelWork kernel;
      const cudaKernelNodeParams params{p.kernel.func,           p.kernel.gridDim,      p.kernel.blockDim,
                                        p.kernel.sharedMemBytes, p.kernel.kernelParams, p.kernel.extra};
      const cudaError_t error = kernel_work(params, kernel);
      return keep(error, std::move(kernel), work);
    }
    case cudaGraphNodeTypeMemcpy: {
      CopyWork copy;
      const cudaError_t error = copy_work(p.memcpy.copyParams, copy);
      return keep(error, std::move(copy), work);
    }
    case cudaGraphNodeTypeMemset: {
      FillWork fill;
      const cudaMemsetParams params{p.memset.dst,         p.memset.pitch, p.memset.value,
                                    p.memset.elementSize, p.memset.width, p.memset.height};
      const cudaError_t error = fill_work(params, fill);
      return keep(error, fill, work);
    }
    case cudaGraphNodeTypeHost: {
      HostWork host;
      host.function = p.host.fn;
      host.data = p.host.userData;
      return keep(host.function == nullptr ? cudaErrorInvalidValue : cudaSuccess, host, work);
    }
    case cudaGraphNodeTypeGraph:
      return child_work(p.graph, work);
    case cudaGraphNodeTypeEmpty:
      return keep(cudaSuccess, EmptyWork{}, work);
    case cudaGraphNodeTypeEventRecord:
      return event_work(p.eventRecord.event, true, work);
    case cudaGraphNodeTypeWaitEvent:
      return event_work(p.eventWait.event, false, work);
    case cudaGraphNodeTypeMemAlloc:
      return allocation_work(p.alloc, work);
    case cudaGraphNodeTypeMemFree:
      return free_work(p.free.dptr, work);
    default:
      return cudaErrorNotSupported;
  }
}

cudaMemcpy3DParms copy_params(const CopyWork& work) {
  const auto pointer = [&](const Region& region) {
    const size_t rows = region.pitch == 0 ? work.height : region.slice / region.pitch;
    return cudaPitchedPtr{reinterpret_cast<void*>(region.address), region.pitch, work.width, rows};
  };
  cudaMemcpy3DParms params{};
  params.srcPtr = pointer(work.from);
  params.dstPtr = pointer(work.to);
  params.extent = {work.width, work.height, work.depth};
  params.kind = work.kind;
  return params;
}

}  // namespace vgpu::runtime
