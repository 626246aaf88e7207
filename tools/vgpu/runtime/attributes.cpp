// cudaDeviceGetAttribute, and the limits of the device.
#include <climits>
#include <map>

#include "core/builtins.h"
#include "runtime/context.h"
#include "runtime/device.h"
#include "runtime/registry.h"

using namespace vgpu::runtime;

namespace {

// Attributes that depend on the compute capability or on other settings.
bool computed(cudaDeviceAttr attribute, int& value) {
  switch (attribute) {
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
      value = static_cast<int>(shared_per_multiprocessor());
      break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      value = static_cast<int>(shared_opt_in());
      break;
    case cudaDevAttrReservedSharedMemoryPerBlock:
      value = static_cast<int>(reserved_shared());
      break;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
      value = static_cast<int>(threads_per_multiprocessor());
      break;
    case cudaDevAttrMaxBlocksPerMultiprocessor:
      value = static_cast<int>(blocks_per_multiprocessor());
      break;
    case cudaDevAttrComputeCapabilityMajor:
      value = static_cast<int>(compute_capability() / 10);
      break;
    case cudaDevAttrComputeCapabilityMinor:
      value = static_cast<int>(compute_capability() % 10);
      break;
    default:
      return false;
  }
  return true;
}

const std::map<int, int>& constants() {
  static const std::map<int, int> table = {
      {cudaDevAttrMaxThreadsPerBlock, kMaxThreads},
      {cudaDevAttrMaxBlockDimX, kMaxThreads},
      {cudaDevAttrMaxBlockDimY, kMaxThreads},
      {cudaDevAttrMaxBlockDimZ, kMaxBlockZ},
      {cudaDevAttrMaxGridDimX, static_cast<int>(kMaxGridX)},
      {cudaDevAttrMaxGridDimY, kMaxGridYZ},
      {cudaDevAttrMaxGridDimZ, kMaxGridYZ},
      {cudaDevAttrMaxSharedMemoryPerBlock, kDefaultShared},
      {cudaDevAttrTotalConstantMemory, 65536},
      {cudaDevAttrWarpSize, 32},
      {cudaDevAttrMaxPitch, INT_MAX},
      {cudaDevAttrMaxRegistersPerBlock, kRegisters},
      {cudaDevAttrMaxRegistersPerMultiprocessor, kRegisters},
      {cudaDevAttrClockRate, 1000000},
      {cudaDevAttrTextureAlignment, kTextureAlignment},
      {cudaDevAttrSurfaceAlignment, kTextureAlignment},
      {cudaDevAttrTexturePitchAlignment, 32},
      {cudaDevAttrGpuOverlap, 1},
      {cudaDevAttrMultiProcessorCount, kMultiprocessors},
      {cudaDevAttrCanMapHostMemory, 1},
      {cudaDevAttrComputeMode, cudaComputeModeDefault},
      {cudaDevAttrConcurrentKernels, 1},
      {cudaDevAttrPciBusId, 0},
      {cudaDevAttrPciDeviceId, 0x1F},
      {cudaDevAttrMemoryClockRate, 1000000},
      {cudaDevAttrGlobalMemoryBusWidth, 64},
      {cudaDevAttrL2CacheSize, 4 << 20},
      {cudaDevAttrAsyncEngineCount, 2},
      {cudaDevAttrUnifiedAddressing, 1},
      {cudaDevAttrStreamPrioritiesSupported, 1},
      {cudaDevAttrGlobalL1CacheSupported, 1},
      {cudaDevAttrLocalL1CacheSupported, 1},
      {cudaDevAttrManagedMemory, 1},
      {cudaDevAttrSingleToDoublePrecisionPerfRatio, 2},
      {cudaDevAttrConcurrentManagedAccess, 1},
      {cudaDevAttrComputePreemptionSupported, 1},
      {cudaDevAttrCanUseHostPointerForRegisteredMem, 1},
      {cudaDevAttrCooperativeLaunch, 1},
      {cudaDevAttrHostRegisterSupported, 1},
      {cudaDevAttrHostRegisterReadOnlySupported, 1},
      {cudaDevAttrMemoryPoolsSupported, 1},
      {cudaDevAttrNumaId, -1},
      {cudaDevAttrHostNumaId, -1},
  };
  return table;
}

// Everything else the enumeration names is a feature or a texture size that this device does not have: 0.
bool is_known(cudaDeviceAttr attribute) {
  return attribute >= cudaDevAttrMaxThreadsPerBlock && attribute < cudaDevAttrMax;
}

std::map<cudaLimit, size_t>& limits() {
  static std::map<cudaLimit, size_t> table = {
      {cudaLimitStackSize, 1024},
      {cudaLimitPrintfFifoSize, 1 << 20},
      {cudaLimitMallocHeapSize, 8 << 20},
      {cudaLimitDevRuntimeSyncDepth, 2},
      {cudaLimitDevRuntimePendingLaunchCount, 2048},
      {cudaLimitMaxL2FetchGranularity, 64},
      {cudaLimitPersistingL2CacheSize, 0},
  };
  return table;
}

}  // namespace

VGPU_API cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  return api([&] {
    if (value == nullptr || !is_known(attribute)) return cudaErrorInvalidValue;
    if (device != 0) return cudaErrorInvalidDevice;
    if (computed(attribute, *value)) return cudaSuccess;
    const auto found = constants().find(attribute);
    *value = found == constants().end() ? 0 : found->second;
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaDeviceGetLimit(size_t* value, cudaLimit limit) {
  return api([&] {
    if (value == nullptr) return cudaErrorInvalidValue;
    const auto found = limits().find(limit);
    if (found == limits().end()) return cudaErrorUnsupportedLimit;
    *value = found->second;
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaDeviceSetLimit(cudaLimit limit, size_t value) {
  return api([&] {
    const auto found = limits().find(limit);
    if (found == limits().end()) return cudaErrorUnsupportedLimit;
    constexpr size_t kMostStack = 512 << 10;
    if (limit == cudaLimitStackSize && value > kMostStack) return cudaErrorInvalidValue;
    if (limit == cudaLimitMallocHeapSize) vgpu::set_heap_limit(value);
    found->second = value;
    return cudaSuccess;
  });
}
