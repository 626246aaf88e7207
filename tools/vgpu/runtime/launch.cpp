// Kernel launches: <<<>>> of CUDA 13, cudaLaunchKernel and its relatives, host functions.
#include "runtime/launch.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/execute.h"
#include "core/report.h"
#include "runtime/context.h"
#include "runtime/device.h"
#include "runtime/stream.h"

namespace vgpu::runtime {
namespace {

bool dimensions_fit(const dim3& grid, const dim3& block) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || block.x == 0 || block.y == 0 || block.z == 0) return false;
  if (grid.x > kMaxGridX || grid.y > kMaxGridYZ || grid.z > kMaxGridYZ) return false;
  if (block.x > kMaxThreads || block.y > kMaxThreads || block.z > kMaxBlockZ) return false;
  return uint64_t{block.x} * block.y * block.z <= kMaxThreads;
}

bool required_size_matches(const ptx::Function& function, const dim3& block) {
  const uint32_t* wanted = function.required_threads;
  return wanted[0] == 0 ||
         (wanted[0] == block.x && std::max(wanted[1], 1u) == block.y && std::max(wanted[2], 1u) == block.z);
}

// __cluster_dims__, and kernels that must be launched with cluster dimensions. Clusters of one block are
// blocks.
bool wants_clusters(const ptx::Function& function) {
  const uint64_t blocks = uint64_t{function.cluster[0]} * function.cluster[1] * function.cluster[2];
  return blocks > 1 || (blocks == 0 && function.explicit_cluster);
}

// <<<>>> leaves its configuration here for the stub that it calls.
struct CallConfiguration {
  dim3 grid, block;
  size_t shared = 0;
  cudaStream_t stream = nullptr;
};

std::vector<CallConfiguration>& configurations() {
  thread_local std::vector<CallConfiguration> stack;
  return stack;
}

cudaError_t launch(Kernel* kernel, const LaunchConfig& config, void** arguments, cudaStream_t stream,
                   int priority = 0) {
  KernelWork work;
  const cudaError_t error = prepare_launch(kernel, config, arguments, work);
  if (error != cudaSuccess) return error;
  work.priority = priority;
  return submit(stream, std::move(work));
}

cudaError_t read_attributes(const cudaLaunchConfig_t& given, LaunchConfig& config, int& priority) {
  if (given.numAttrs != 0 && given.attrs == nullptr) return cudaErrorInvalidValue;
  for (unsigned i = 0; i < given.numAttrs; i++) {
    const cudaLaunchAttributeValue& value = given.attrs[i].val;
    switch (given.attrs[i].id) {
      case cudaLaunchAttributeCooperative:
        config.cooperative = value.cooperative != 0;
        break;
      case cudaLaunchAttributePriority:
        priority = value.priority;
        break;
      case cudaLaunchAttributeClusterDimension:
        if (value.clusterDim.x * value.clusterDim.y * value.clusterDim.z != 1) {
          report_line("thread block clusters are not implemented by the virtual GPU");
          return cudaErrorNotSupported;
        }
        break;
      default:
        break;  // hints, and programmatic launches: the order of the stream satisfies them
    }
  }
  return cudaSuccess;
}

}  // namespace

uint64_t dynamic_shared_limit(const Kernel& kernel) {
  if (kernel.max_dynamic_shared >= 0) return static_cast<uint64_t>(kernel.max_dynamic_shared);
  const uint32_t used = kernel.code->shared_bytes;
  return used < kDefaultShared ? kDefaultShared - used : 0;
}

uint32_t threads_limit(const Kernel& kernel) {
  const uint32_t bound = kernel.code->function->max_threads;
  return bound == 0 ? kMaxThreads : std::min(bound, kMaxThreads);
}

uint32_t blocks_at_a_time(const Kernel& kernel, uint32_t threads, uint64_t dynamic_shared) {
  if (threads == 0 || threads > threads_limit(kernel)) return 0;
  const uint64_t shared = kernel.code->shared_bytes + dynamic_shared;
  if (shared > shared_opt_in()) return 0;
  const uint32_t warp_threads = (threads + kLanes - 1) / kLanes * kLanes;
  const uint64_t by_shared = shared_per_multiprocessor() / std::max<uint64_t>(shared + reserved_shared(), 1);
  const uint32_t by_registers = resident_blocks(*kernel.code, threads, 0);
  return std::min({by_registers, threads_per_multiprocessor() / warp_threads, blocks_per_multiprocessor(),
                   static_cast<uint32_t>(by_shared)});
}

cudaError_t check_launch(Kernel& kernel, const LaunchConfig& config) {
  if (const cudaError_t error = kernel.resolve(); error != cudaSuccess) return error;
  if (wants_clusters(*kernel.code->function)) {
    report_line("thread block clusters are not implemented by the virtual GPU; kernel " +
                demangle(kernel.code->name) + " is made for them (__cluster_dims__)");
    return cudaErrorNotSupported;
  }
  if (!dimensions_fit(config.grid, config.block)) return cudaErrorInvalidConfiguration;
  const uint32_t threads = config.block.x * config.block.y * config.block.z;
  if (threads > threads_limit(kernel)) return cudaErrorInvalidValue;
  if (!required_size_matches(*kernel.code->function, config.block)) return cudaErrorInvalidValue;
  if (config.dynamic_shared > dynamic_shared_limit(kernel)) return cudaErrorInvalidValue;
  if (kernel.code->shared_bytes + config.dynamic_shared > shared_opt_in()) return cudaErrorInvalidValue;
  if (!config.cooperative) return cudaSuccess;
  const uint64_t blocks = uint64_t{config.grid.x} * config.grid.y * config.grid.z;
  const uint64_t resident =
      uint64_t{blocks_at_a_time(kernel, threads, config.dynamic_shared)} * kMultiprocessors;
  return blocks > resident ? cudaErrorCooperativeLaunchTooLarge : cudaSuccess;
}

cudaError_t prepare_launch(Kernel* kernel, const LaunchConfig& config, void** arguments, KernelWork& work) {
  if (kernel == nullptr) return cudaErrorInvalidDeviceFunction;
  if (const cudaError_t error = check_launch(*kernel, config); error != cudaSuccess) return error;
  const auto& parameters = kernel->code->function->params;
  if (!parameters.empty() && arguments == nullptr) return cudaErrorInvalidValue;
  work.kernel = kernel;
  work.grid = {config.grid.x, config.grid.y, config.grid.z};
  work.block = {config.block.x, config.block.y, config.block.z};
  work.dynamic_shared = static_cast<uint32_t>(config.dynamic_shared);
  work.cooperative = config.cooperative;
  work.arguments.assign(kernel->code->param_bytes, 0);
  for (size_t i = 0; i < parameters.size(); i++) {
    if (parameters[i].size == 0) continue;
    if (arguments[i] == nullptr) return cudaErrorInvalidValue;
    std::memcpy(work.arguments.data() + kernel->code->param_offsets[i], arguments[i], parameters[i].size);
  }
  return cudaSuccess;
}

}  // namespace vgpu::runtime

using namespace vgpu::runtime;

VGPU_API unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared, CUstream_st* stream) {
  configurations().push_back({grid, block, shared, stream});
  return 0;
}

VGPU_API cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block, size_t* shared, void* stream) {
  auto& stack = configurations();
  if (stack.empty()) {
    vgpu::report_line("a kernel was called without a launch configuration (<<<grid, block>>>)");
    return remember(cudaErrorMissingConfiguration);
  }
  const CallConfiguration& top = stack.back();
  *grid = top.grid;
  *block = top.block;
  *shared = top.shared;
  *static_cast<cudaStream_t*>(stream) = top.stream;
  stack.pop_back();
  return cudaSuccess;
}

VGPU_API cudaError_t __cudaGetKernel(cudaKernel_t* result, const void* function) {
  Guard guard;
  Kernel* kernel = Registry::instance().kernel(function);
  *result = reinterpret_cast<cudaKernel_t>(kernel);
  return kernel == nullptr ? remember(cudaErrorInvalidDeviceFunction) : cudaSuccess;
}

VGPU_API cudaError_t cudaGetKernel(cudaKernel_t* result, const void* function) {
  return api([&] {
    if (result == nullptr) return cudaErrorInvalidValue;
    Kernel* kernel = Registry::instance().kernel(function);
    if (kernel == nullptr) return cudaErrorInvalidDeviceFunction;
    *result = reinterpret_cast<cudaKernel_t>(kernel);
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaGetFuncBySymbol(cudaFunction_t* result, const void* function) {
  return cudaGetKernel(reinterpret_cast<cudaKernel_t*>(result), function);
}

VGPU_API cudaError_t cudaLaunchKernel(const void* function, dim3 grid, dim3 block, void** arguments,
                                      size_t shared, cudaStream_t stream) {
  return api([&] {
    return launch(Registry::instance().kernel(function), {grid, block, shared, false}, arguments, stream);
  });
}

VGPU_API cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments,
                                        size_t shared, cudaStream_t stream) {
  return cudaLaunchKernel(kernel, grid, block, arguments, shared, stream);
}

VGPU_API cudaError_t cudaLaunchCooperativeKernel(const void* function, dim3 grid, dim3 block,
                                                 void** arguments, size_t shared, cudaStream_t stream) {
  return api([&] {
    return launch(Registry::instance().kernel(function), {grid, block, shared, true}, arguments, stream);
  });
}

VGPU_API cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t* given, const void* function,
                                         void** arguments) {
  return api([&] {
    if (given == nullptr) return cudaErrorInvalidValue;
    LaunchConfig config{given->gridDim, given->blockDim, given->dynamicSmemBytes, false};
    int priority = 0;
    const cudaError_t error = read_attributes(*given, config, priority);
    if (error != cudaSuccess) return error;
    return launch(Registry::instance().kernel(function), config, arguments, given->stream, priority);
  });
}

VGPU_API cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* data) {
  return api([&] {
    if (function == nullptr) return cudaErrorInvalidValue;
    HostWork work;
    work.function = function;
    work.data = data;
    return submit(stream, work);
  });
}

VGPU_API cudaError_t cudaStreamAddCallback(cudaStream_t handle, cudaStreamCallback_t callback, void* data,
                                           unsigned flags) {
  return api([&] {
    Stream* stream = stream_of(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (callback == nullptr || flags != 0) return cudaErrorInvalidValue;
    HostWork work;
    work.callback = callback;
    work.stream = handle;
    work.data = data;
    return submit(handle, work);
  });
}
