// The many cudaGraph...NodeSetParams... functions exist twice, for nodes and for nodes of executable graphs.
// What they share: the parameters become work, the work replaces the node's.
#pragma once

#include "runtime/context.h"
#include "runtime/copy.h"
#include "runtime/event.h"
#include "runtime/graph.h"

namespace vgpu::runtime {

// `find()` gives the node to change, nullptr for none.
template <class Find, class Make>
cudaError_t set_node(Find&& find, Make&& make) {
  return api([&] {
    Node* node = find();
    if (node == nullptr) return cudaErrorInvalidValue;
    Work work;
    if (const cudaError_t error = make(*node, work); error != cudaSuccess) return error;
    return replace_work(*node, std::move(work));
  });
}

inline auto make_kernel(const cudaKernelNodeParams* params) {
  return [params](const Node& node, Work& work) {
    const auto* old = std::get_if<KernelWork>(&node.work);
    if (params == nullptr || old == nullptr) return cudaErrorInvalidValue;
    KernelWork kernel;
    kernel.cooperative = old->cooperative;
    kernel.priority = old->priority;
    const cudaError_t error = kernel_work(*params, kernel);
    work = std::move(kernel);
    return error;
  };
}

inline auto make_copy(const cudaMemcpy3DParms* params) {
  return [params](const Node&, Work& work) {
    if (params == nullptr) return cudaErrorInvalidValue;
    CopyWork copy;
    const cudaError_t error = copy_work(*params, copy);
    work = std::move(copy);
    return error;
  };
}

inline auto make_copy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  return [=](const Node&, Work& work) {
    CopyWork copy;
    const cudaError_t error = copy_work(to, from, bytes, kind, copy);
    work = std::move(copy);
    return error;
  };
}

inline auto make_copy_to_symbol(const void* symbol, const void* from, size_t bytes, size_t offset,
                                cudaMemcpyKind kind) {
  return [=](const Node& node, Work& work) {
    uint64_t address = 0;
    const cudaError_t error = symbol_range(symbol, bytes, offset, address);
    if (error != cudaSuccess) return error;
    return make_copy(reinterpret_cast<void*>(address), from, bytes, kind)(node, work);
  };
}

inline auto make_copy_from_symbol(void* to, const void* symbol, size_t bytes, size_t offset,
                                  cudaMemcpyKind kind) {
  return [=](const Node& node, Work& work) {
    uint64_t address = 0;
    const cudaError_t error = symbol_range(symbol, bytes, offset, address);
    if (error != cudaSuccess) return error;
    return make_copy(to, reinterpret_cast<void*>(address), bytes, kind)(node, work);
  };
}

inline auto make_fill(const cudaMemsetParams* params) {
  return [params](const Node&, Work& work) {
    if (params == nullptr) return cudaErrorInvalidValue;
    FillWork fill;
    const cudaError_t error = fill_work(*params, fill);
    work = fill;
    return error;
  };
}

inline auto make_generic(cudaGraphNodeParams* params) {
  return [params](const Node& node, Work& work) {
    if (params == nullptr || params->type != type_of(node.work)) return cudaErrorInvalidValue;
    return generic_work(*params, work);
  };
}

inline auto make_host(const cudaHostNodeParams* params) {
  return [params](const Node&, Work& work) {
    if (params == nullptr || params->fn == nullptr) return cudaErrorInvalidValue;
    HostWork host;
    host.function = params->fn;
    host.data = params->userData;
    work = host;
    return cudaSuccess;
  };
}

template <class EventWork>
auto make_event(cudaEvent_t handle) {
  return [handle](const Node&, Work& work) {
    Event* event = event_of(handle);
    if (event == nullptr) return cudaErrorInvalidResourceHandle;
    work = EventWork{event};
    return cudaSuccess;
  };
}

}  // namespace vgpu::runtime
