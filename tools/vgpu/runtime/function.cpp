// What a program may ask about its kernels: attributes, names, parameters and occupancy.
#include <algorithm>

#include "runtime/context.h"
#include "runtime/device.h"
#include "runtime/launch.h"
#include "runtime/registry.h"

using namespace vgpu::runtime;

namespace {

// Finds and loads the kernel, then calls body(kernel).
template <class Body>
cudaError_t kernel_api(const void* function, Body&& body) {
  return api([&] {
    Kernel* kernel = Registry::instance().kernel(function);
    if (kernel == nullptr) return cudaErrorInvalidDeviceFunction;
    const cudaError_t error = kernel->resolve();
    return error != cudaSuccess ? error : body(*kernel);
  });
}

void fill_attributes(const Kernel& kernel, cudaFuncAttributes& a) {
  a = {};
  a.sharedSizeBytes = kernel.code->shared_bytes;
  for (const auto& variable : kernel.binary->program()->module->variables)
    if (variable.space == vgpu::ptx::Space::Const) a.constSizeBytes += variable.size;
  a.localSizeBytes = kernel.code->local_bytes;
  a.maxThreadsPerBlock = static_cast<int>(threads_limit(kernel));
  a.numRegs = static_cast<int>(kernel.code->register_estimate);
  a.ptxVersion = static_cast<int>(kernel.binary->ptx_version());
  a.binaryVersion = static_cast<int>(compute_capability());
  a.maxDynamicSharedSizeBytes = static_cast<int>(dynamic_shared_limit(kernel));
  a.preferredShmemCarveout = kernel.carveout;
}

cudaError_t set_attribute(Kernel& kernel, cudaFuncAttribute attribute, int value) {
  switch (attribute) {
    case cudaFuncAttributeMaxDynamicSharedMemorySize:
      if (value < 0 || static_cast<uint32_t>(value) + kernel.code->shared_bytes > shared_opt_in())
        return cudaErrorInvalidValue;
      kernel.max_dynamic_shared = value;
      return cudaSuccess;
    case cudaFuncAttributePreferredSharedMemoryCarveout: {
      constexpr int kDefault = -1, kMost = 100;
      if (value < kDefault || value > kMost) return cudaErrorInvalidValue;
      kernel.carveout = value;
      return cudaSuccess;
    }
    case cudaFuncAttributeNonPortableClusterSizeAllowed:
    case cudaFuncAttributeClusterSchedulingPolicyPreference:
      return cudaSuccess;
    default:
      return cudaErrorInvalidValue;
  }
}

cudaError_t occupancy(int* blocks, const void* function, int threads, size_t dynamic_shared) {
  return kernel_api(function, [&](Kernel& kernel) {
    if (blocks == nullptr || threads <= 0) return cudaErrorInvalidValue;
    *blocks = static_cast<int>(blocks_at_a_time(kernel, static_cast<uint32_t>(threads), dynamic_shared));
    return cudaSuccess;
  });
}

}  // namespace

VGPU_API cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* function) {
  return kernel_api(function, [&](const Kernel& kernel) {
    if (attributes == nullptr) return cudaErrorInvalidValue;
    fill_attributes(kernel, *attributes);
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaFuncSetAttribute(const void* function, cudaFuncAttribute attribute, int value) {
  return kernel_api(function, [&](Kernel& kernel) { return set_attribute(kernel, attribute, value); });
}

VGPU_API cudaError_t cudaKernelSetAttributeForDevice(cudaKernel_t kernel, cudaFuncAttribute attribute,
                                                     int value, int device) {
  if (device != 0) return remember(cudaErrorInvalidDevice);
  return cudaFuncSetAttribute(kernel, attribute, value);
}

VGPU_API cudaError_t cudaFuncGetName(const char** name, const void* function) {
  return api([&] {
    const Kernel* kernel = Registry::instance().kernel(function);
    if (name == nullptr) return cudaErrorInvalidValue;
    if (kernel == nullptr) return cudaErrorInvalidDeviceFunction;
    *name = kernel->name.c_str();
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaFuncGetParamInfo(const void* function, size_t index, size_t* offset, size_t* size) {
  return kernel_api(function, [&](const Kernel& kernel) {
    if (offset == nullptr || index >= kernel.code->param_offsets.size()) return cudaErrorInvalidValue;
    *offset = kernel.code->param_offsets[index];
    if (size != nullptr) *size = kernel.code->function->params[index].size;
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void* function,
                                                                   int threads, size_t dynamic_shared) {
  return occupancy(blocks, function, threads, dynamic_shared);
}

VGPU_API cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, const void* function,
                                                                            int threads,
                                                                            size_t dynamic_shared,
                                                                            unsigned flags) {
  if ((flags & ~unsigned{cudaOccupancyDisableCachingOverride}) != 0) return remember(cudaErrorInvalidValue);
  return occupancy(blocks, function, threads, dynamic_shared);
}

VGPU_API cudaError_t cudaOccupancyAvailableDynamicSMemPerBlock(size_t* bytes, const void* function,
                                                               int blocks, int threads) {
  return kernel_api(function, [&](const Kernel& kernel) {
    if (bytes == nullptr || blocks <= 0 || threads <= 0) return cudaErrorInvalidValue;
    const uint64_t share = shared_per_multiprocessor() / static_cast<uint32_t>(blocks);
    const uint64_t taken = uint64_t{reserved_shared()} + kernel.code->shared_bytes;
    const uint64_t most = shared_opt_in() - std::min(shared_opt_in(), kernel.code->shared_bytes);
    *bytes = share <= taken ? 0 : std::min(share - taken, most) / 128 * 128;
    return cudaSuccess;
  });
}
