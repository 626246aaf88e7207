// Checked launches of CUDA kernels. An error names the kernel and the sizes it was launched for.
// Launches never synchronise: what goes wrong inside a kernel surfaces at the next synchronize(), which names
// the last launch. CPM_CUDA_BLOCKING=1 in the environment synchronises after every launch and so names the
// right one.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <initializer_list>
#include <utility>

#include "kernels/base/exec.h"

namespace kernels::cuda {

/// A kernel's name and the sizes of this launch, for errors: {"relu_forward", {{"count", n}}}.
struct Site {
  const char* kernel;
  std::initializer_list<std::pair<const char*, int64_t>> sizes = {};
};

/// Throws where `error` is one: DeviceUnavailable for what the machine lacks, Internal for the rest.
void check(cudaError_t error, const Site& site);
/// Makes `device` the thread's current one: launches, allocations and copies go to it.
void use_device(int device);
/// Internal error that names the launch unless the caller kept the `promise` ("16-byte aligned arrays").
void require(bool holds, const char* promise, const Site& site);
/// check() of the launch just made; remembers the site's name for errors that surface later.
void check_launch(const Exec& exec, const Site& site);
/// Name of the kernel launched last, "none" before the first; what a replayed recording calls itself.
const char* last_kernel();
void set_last_kernel(const char* name);
/// CPM_CUDA_BLOCKING is set: every launch is waited for, so nothing can be recorded.
bool blocking();

inline cudaStream_t stream_of(const Exec& exec) {
  return static_cast<cudaStream_t>(exec.stream);
}

/// Blocks of `size` that cover `count`; at least one.
inline uint32_t blocks_for(int64_t count, int64_t size) {
  return static_cast<uint32_t>(count <= size ? 1 : (count + size - 1) / size);
}

#ifdef __CUDACC__
/// kernel<<<grid, block, shared bytes, exec's stream>>>(arguments...), checked. Opts in to more than 48 KiB.
template <class... Parameters, class... Arguments>
void launch(const Exec& exec, const Site& site, dim3 grid, dim3 block, size_t shared,
            void (*kernel)(Parameters...), Arguments... arguments) {
  use_device(exec.device);
  if (shared > 48 * 1024) {
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared)),
          site);
  }
  kernel<<<grid, block, shared, stream_of(exec)>>>(static_cast<Parameters>(arguments)...);
  check_launch(exec, site);
}
#endif

}  // namespace kernels::cuda
