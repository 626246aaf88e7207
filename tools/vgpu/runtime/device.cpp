// The device: its properties by compute capability, its selection and its reset.
#include "runtime/device.h"

#include <cstdio>
#include <cstring>

#include "core/device_memory.h"
#include "runtime/capture.h"
#include "runtime/context.h"
#include "runtime/event.h"
#include "runtime/graph.h"
#include "runtime/graph_launch.h"
#include "runtime/lazy.h"
#include "runtime/memory.h"
#include "runtime/registry.h"
#include "runtime/stream.h"

namespace vgpu::runtime {

uint32_t shared_per_multiprocessor() {
  switch (compute_capability()) {
    case 75:
      return 64u << 10;
    case 80:
    case 87:
      return 164u << 10;
    case 86:
    case 89:
    case 120:
    case 121:
      return 100u << 10;
    default:
      return compute_capability() < 90 ? 100u << 10 : 228u << 10;
  }
}

uint32_t reserved_shared() {
  return compute_capability() < 80 ? 0 : 1024;
}

uint32_t shared_opt_in() {
  return shared_per_multiprocessor() - reserved_shared();
}

uint32_t threads_per_multiprocessor() {
  switch (compute_capability()) {
    case 75:
      return 1024;
    case 86:
    case 87:
    case 89:
    case 120:
    case 121:
      return 1536;
    default:
      return 2048;
  }
}

uint32_t blocks_per_multiprocessor() {
  switch (compute_capability()) {
    case 75:
    case 86:
    case 87:
      return 16;
    case 89:
    case 120:
    case 121:
      return 24;
    default:
      return 32;
  }
}

const char* device_name() {
  return "vgpu (virtual GPU on the CPU)";
}

}  // namespace vgpu::runtime

using namespace vgpu::runtime;

namespace {

constexpr const char* kBusId = "0000:00:1F.0";
constexpr int kVersion = 13000;
unsigned device_flags = cudaDeviceScheduleAuto;

// A number that cudaDeviceGetAttribute knows, for the properties' fields of the same meaning.
int attribute(cudaDeviceAttr which) {
  int value = 0;
  cudaDeviceGetAttribute(&value, which, 0);
  return value;
}

void fill_limits(cudaDeviceProp& p) {
  p.totalGlobalMem = vgpu::DeviceMemory::instance().capacity();
  p.sharedMemPerBlock = kDefaultShared;
  p.sharedMemPerBlockOptin = shared_opt_in();
  p.sharedMemPerMultiprocessor = shared_per_multiprocessor();
  p.reservedSharedMemPerBlock = static_cast<size_t>(attribute(cudaDevAttrReservedSharedMemoryPerBlock));
  p.regsPerBlock = p.regsPerMultiprocessor = kRegisters;
  p.warpSize = 32;
  p.memPitch = static_cast<size_t>(attribute(cudaDevAttrMaxPitch));
  p.maxThreadsPerBlock = kMaxThreads;
  p.maxThreadsDim[0] = p.maxThreadsDim[1] = kMaxThreads;
  p.maxThreadsDim[2] = kMaxBlockZ;
  p.maxGridSize[0] = kMaxGridX;
  p.maxGridSize[1] = p.maxGridSize[2] = kMaxGridYZ;
  p.totalConstMem = static_cast<size_t>(attribute(cudaDevAttrTotalConstantMemory));
  p.textureAlignment = p.surfaceAlignment = kTextureAlignment;
  p.texturePitchAlignment = 32;
  p.multiProcessorCount = kMultiprocessors;
  p.maxThreadsPerMultiProcessor = static_cast<int>(threads_per_multiprocessor());
  p.maxBlocksPerMultiProcessor = static_cast<int>(blocks_per_multiprocessor());
  p.l2CacheSize = attribute(cudaDevAttrL2CacheSize);
  p.memoryBusWidth = attribute(cudaDevAttrGlobalMemoryBusWidth);
}

void fill_features(cudaDeviceProp& p) {
  p.major = static_cast<int>(compute_capability() / 10);
  p.minor = static_cast<int>(compute_capability() % 10);
  p.canMapHostMemory = 1;
  p.concurrentKernels = 1;
  p.asyncEngineCount = attribute(cudaDevAttrAsyncEngineCount);
  p.unifiedAddressing = 1;
  p.streamPrioritiesSupported = 1;
  p.globalL1CacheSupported = p.localL1CacheSupported = 1;
  p.managedMemory = p.concurrentManagedAccess = 1;
  p.computePreemptionSupported = 1;
  p.canUseHostPointerForRegisteredMem = 1;
  p.cooperativeLaunch = 1;
  p.hostRegisterSupported = p.hostRegisterReadOnlySupported = 1;
  p.memoryPoolsSupported = 1;
  p.pciBusID = attribute(cudaDevAttrPciBusId);
  p.pciDeviceID = attribute(cudaDevAttrPciDeviceId);
  p.deviceNumaId = p.hostNumaId = -1;
}

}  // namespace

VGPU_API cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  return api([&] {
    if (properties == nullptr) return cudaErrorInvalidValue;
    if (device != 0) return cudaErrorInvalidDevice;
    std::memset(properties, 0, sizeof *properties);
    std::snprintf(properties->name, sizeof properties->name, "%s", device_name());
    std::memcpy(properties->uuid.bytes, "vgpu-virtual-gpu", sizeof properties->uuid.bytes);
    fill_limits(*properties);
    fill_features(*properties);
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaGetDeviceCount(int* count) {
  return api([&] {
    if (count == nullptr) return cudaErrorInvalidValue;
    *count = 1;
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaGetDevice(int* device) {
  return api([&] {
    if (device == nullptr) return cudaErrorInvalidValue;
    *device = 0;
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaSetDevice(int device) {
  return api([&] { return device == 0 ? cudaSuccess : cudaErrorInvalidDevice; });
}

VGPU_API cudaError_t cudaInitDevice(int device, unsigned flags, unsigned) {
  return api([&] {
    if (device != 0) return cudaErrorInvalidDevice;
    return (flags & ~unsigned{cudaDeviceMask}) != 0 ? cudaErrorInvalidValue : cudaSuccess;
  });
}

VGPU_API cudaError_t cudaSetValidDevices(int* devices, int count) {
  return api([&] {
    if (count < 0 || (count > 0 && devices == nullptr)) return cudaErrorInvalidValue;
    for (int i = 0; i < count; i++)
      if (devices[i] != 0) return cudaErrorInvalidDevice;
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaChooseDevice(int* device, const cudaDeviceProp* wanted) {
  return api([&] {
    if (device == nullptr || wanted == nullptr) return cudaErrorInvalidValue;
    *device = 0;
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaSetDeviceFlags(unsigned flags) {
  return api([&] {
    if ((flags & ~unsigned{cudaDeviceMask}) != 0) return cudaErrorInvalidValue;
    device_flags = flags;
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaGetDeviceFlags(unsigned* flags) {
  return api([&] {
    if (flags == nullptr) return cudaErrorInvalidValue;
    *flags = device_flags | cudaDeviceMapHost;
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaDeviceGetPCIBusId(char* text, int size, int device) {
  return api([&] {
    if (text == nullptr || size < 1) return cudaErrorInvalidValue;
    if (device != 0) return cudaErrorInvalidDevice;
    std::snprintf(text, static_cast<size_t>(size), "%s", kBusId);
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaDeviceGetByPCIBusId(int* device, const char* text) {
  return api([&] {
    if (device == nullptr || text == nullptr) return cudaErrorInvalidValue;
    unsigned domain = 0, bus = 0, slot = 0;
    const bool full = std::sscanf(text, "%x:%x:%x", &domain, &bus, &slot) == 3;
    if (!full && (domain = 0, std::sscanf(text, "%x:%x", &bus, &slot) != 2)) return cudaErrorInvalidValue;
    if (domain != 0 || bus != 0 || slot != 0x1F) return cudaErrorInvalidDevice;
    *device = 0;
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaDriverGetVersion(int* version) {
  if (version == nullptr) return remember(cudaErrorInvalidValue);
  *version = kVersion;
  return cudaSuccess;
}

VGPU_API cudaError_t cudaRuntimeGetVersion(int* version) {
  return cudaDriverGetVersion(version);
}

VGPU_API cudaError_t cudaDeviceReset() {
  Guard guard;
  if (sticky_error() == cudaSuccess && lazy_mode()) run_everything();
  clear_sticky_error();
  clear_last_error();
  forget_captures();
  forget_queues();
  destroy_execs();
  destroy_graphs();
  destroy_events();
  destroy_streams();
  vgpu::DeviceMemory::instance().reset();
  forget_blocks();
  forget_buffers();
  Registry::instance().restore_variables();
  return cudaSuccess;
}

VGPU_API cudaError_t cudaDeviceCanAccessPeer(int* result, int device, int peer) {
  return api([&] {
    if (result == nullptr) return cudaErrorInvalidValue;
    if (device != 0 || peer != 0) return cudaErrorInvalidDevice;
    *result = 0;
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaDeviceEnablePeerAccess(int, unsigned) {
  return api([] { return cudaErrorInvalidDevice; });
}

VGPU_API cudaError_t cudaDeviceDisablePeerAccess(int) {
  return api([] { return cudaErrorInvalidDevice; });
}

VGPU_API cudaError_t cudaDeviceGetP2PAttribute(int*, cudaDeviceP2PAttr, int, int) {
  return api([] { return cudaErrorInvalidDevice; });
}
