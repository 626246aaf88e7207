// What every entry point shares: the lock, the error state and the way in and out of a call.
//
// One recursive lock serialises the whole API: a launch runs to its end inside it, so that programs with
// several host threads see a device that does one thing at a time. Faults of kernels poison the context as
// they do on a real device: every later call returns the same error until cudaDeviceReset.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <new>

#define VGPU_API extern "C" __attribute__((visibility("default")))

namespace vgpu::runtime {

class Guard {
 public:
  Guard();
  ~Guard();
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;
};

// Gives the lock up while a host function of the program runs, however deep the call is; calls that such a
// function makes are refused (cudaErrorNotPermitted).
class HostFunctionScope {
 public:
  HostFunctionScope();
  ~HostFunctionScope();
  HostFunctionScope(const HostFunctionScope&) = delete;
  HostFunctionScope& operator=(const HostFunctionScope&) = delete;

 private:
  int depth_ = 0;
};

// What a call must return before it does anything: the sticky error, or cudaErrorNotPermitted in a host
// function.
cudaError_t entry_error();
cudaError_t sticky_error();
void poison(cudaError_t error);
void clear_sticky_error();
// Keeps an error for cudaGetLastError and returns it.
cudaError_t remember(cudaError_t error);
cudaError_t last_error();
void clear_last_error();
// CUDA_LAUNCH_BLOCKING=1: a launch returns the error of its own kernel.
bool launch_blocking();

// Runs the body of an entry point; it returns a cudaError_t.
template <class Body>
cudaError_t api(Body&& body) {
  Guard guard;
  cudaError_t error = entry_error();
  if (error != cudaSuccess) return remember(error);
  try {
    error = body();
  } catch (const std::bad_alloc&) {
    error = cudaErrorMemoryAllocation;
  }
  return remember(error);
}

template <class T>
uint64_t address_of(T* pointer) {
  return reinterpret_cast<uint64_t>(pointer);
}

}  // namespace vgpu::runtime
