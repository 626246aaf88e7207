// Entry points that only give hints or switch tools on and off: parameters are checked, nothing happens.
#include <algorithm>

#include "core/report.h"
#include "runtime/context.h"
#include "runtime/registry.h"
#include "runtime/stream.h"

using namespace vgpu::runtime;

namespace {

cudaFuncCache cache_config = cudaFuncCachePreferNone;

bool is_cache_config(cudaFuncCache config) {
  return config >= cudaFuncCachePreferNone && config <= cudaFuncCachePreferEqual;
}

cudaError_t no_driver(const char* symbol, void** function, cudaDriverEntryPointQueryResult* status) {
  return api([&] {
    if (symbol == nullptr || function == nullptr) return cudaErrorInvalidValue;
    // There is no driver behind this runtime.
    *function = nullptr;
    if (status == nullptr) return cudaErrorSymbolNotFound;
    *status = cudaDriverEntryPointSymbolNotFound;
    return cudaSuccess;
  });
}

}  // namespace

VGPU_API cudaError_t cudaDeviceSetCacheConfig(cudaFuncCache config) {
  return api([&] {
    if (!is_cache_config(config)) return cudaErrorInvalidValue;
    cache_config = config;
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaDeviceGetCacheConfig(cudaFuncCache* config) {
  return api([&] {
    if (config == nullptr) return cudaErrorInvalidValue;
    *config = cache_config;
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaFuncSetCacheConfig(const void* function, cudaFuncCache config) {
  return api([&] {
    if (Registry::instance().kernel(function) == nullptr) return cudaErrorInvalidDeviceFunction;
    return is_cache_config(config) ? cudaSuccess : cudaErrorInvalidValue;
  });
}

// The shared memory bank size, of old devices; the header has it no more, the library still does.
VGPU_API cudaError_t cudaDeviceSetSharedMemConfig(cudaSharedMemConfig) {
  return api([] { return cudaSuccess; });
}

VGPU_API cudaError_t cudaDeviceGetSharedMemConfig(cudaSharedMemConfig* config) {
  return api([&] {
    if (config == nullptr) return cudaErrorInvalidValue;
    *config = cudaSharedMemBankSizeFourByte;
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaFuncSetSharedMemConfig(const void* function, cudaSharedMemConfig) {
  return api([&] {
    return Registry::instance().kernel(function) == nullptr ? cudaErrorInvalidDeviceFunction : cudaSuccess;
  });
}

VGPU_API cudaError_t cudaCtxResetPersistingL2Cache() {
  return api([] { return cudaSuccess; });
}

VGPU_API cudaError_t cudaProfilerStart() {
  return api([] { return cudaSuccess; });
}

VGPU_API cudaError_t cudaProfilerStop() {
  return api([] { return cudaSuccess; });
}

VGPU_API cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  return api([&] {
    constexpr int kLeast = 0, kGreatest = -5;
    if (least != nullptr) *least = kLeast;
    if (greatest != nullptr) *greatest = kGreatest;
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaDeviceFlushGPUDirectRDMAWrites(cudaFlushGPUDirectRDMAWritesTarget,
                                                        cudaFlushGPUDirectRDMAWritesScope) {
  return api([] { return cudaErrorNotSupported; });
}

VGPU_API cudaError_t cudaStreamGetAttribute(cudaStream_t handle, cudaStreamAttrID attribute,
                                            cudaStreamAttrValue* value) {
  return api([&] {
    const Stream* stream = stream_of(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (value == nullptr) return cudaErrorInvalidValue;
    std::fill(std::begin(value->pad), std::end(value->pad), '\0');
    if (attribute == cudaStreamAttributePriority) value->priority = stream->priority;
    if (attribute == cudaStreamAttributeSynchronizationPolicy) value->syncPolicy = cudaSyncPolicyAuto;
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaStreamSetAttribute(cudaStream_t handle, cudaStreamAttrID attribute,
                                            const cudaStreamAttrValue* value) {
  return api([&] {
    Stream* stream = stream_of(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (value == nullptr) return cudaErrorInvalidValue;
    if (attribute == cudaStreamAttributePriority) stream->priority = value->priority;
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaStreamCopyAttributes(cudaStream_t to, cudaStream_t from) {
  return api([&] {
    Stream* target = stream_of(to);
    const Stream* source = stream_of(from);
    if (target == nullptr || source == nullptr) return cudaErrorInvalidResourceHandle;
    target->priority = source->priority;
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaGetDriverEntryPoint(const char* symbol, void** function, unsigned long long,
                                             cudaDriverEntryPointQueryResult* status) {
  return no_driver(symbol, function, status);
}

VGPU_API cudaError_t cudaGetDriverEntryPointByVersion(const char* symbol, void** function, unsigned,
                                                      unsigned long long,
                                                      cudaDriverEntryPointQueryResult* status) {
  return no_driver(symbol, function, status);
}

VGPU_API cudaChannelFormatDesc cudaCreateChannelDesc(int x, int y, int z, int w, cudaChannelFormatKind kind) {
  return {x, y, z, w, kind};
}
