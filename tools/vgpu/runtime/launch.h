// Turning launch parameters into work, with the checks that a driver makes.
#pragma once

#include <cuda_runtime_api.h>

#include "runtime/work.h"

namespace vgpu::runtime {

struct LaunchConfig {
  dim3 grid{}, block{};
  size_t dynamic_shared = 0;
  bool cooperative = false;
};

// Checks the launch and copies the arguments. `arguments` holds a pointer for each parameter.
cudaError_t prepare_launch(Kernel* kernel, const LaunchConfig& config, void** arguments, KernelWork& work);
// The checks alone, for work whose arguments are known.
cudaError_t check_launch(Kernel& kernel, const LaunchConfig& config);

// Dynamic shared memory a block of this kernel may ask for.
uint64_t dynamic_shared_limit(const Kernel& kernel);
uint32_t threads_limit(const Kernel& kernel);
// Blocks that one multiprocessor holds at a time.
uint32_t blocks_at_a_time(const Kernel& kernel, uint32_t threads, uint64_t dynamic_shared);

}  // namespace vgpu::runtime
