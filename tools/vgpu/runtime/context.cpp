// The lock and the error state behind every entry point, and cudaGetLastError and its kin.
#include "runtime/context.h"

#include <cstdint>
#include <cstdlib>
#include <mutex>

namespace vgpu::runtime {
namespace {

// Leaked on purpose: programs call the runtime from destructors of static objects.
std::recursive_mutex& lock() {
  static auto* mutex = new std::recursive_mutex;
  return *mutex;
}

cudaError_t sticky = cudaSuccess;
thread_local cudaError_t last = cudaSuccess;
thread_local int depth = 0;
thread_local bool host_function = false;

}  // namespace

Guard::Guard() {
  lock().lock();
  depth++;
}

Guard::~Guard() {
  depth--;
  lock().unlock();
}

HostFunctionScope::HostFunctionScope() : depth_(depth) {
  host_function = true;
  for (int i = 0; i < depth_; i++) lock().unlock();
  depth = 0;
}

HostFunctionScope::~HostFunctionScope() {
  for (int i = 0; i < depth_; i++) lock().lock();
  depth = depth_;
  host_function = false;
}

cudaError_t entry_error() {
  if (sticky != cudaSuccess) return sticky;
  return host_function ? cudaErrorNotPermitted : cudaSuccess;
}

cudaError_t sticky_error() {
  return sticky;
}

void poison(cudaError_t error) {
  if (sticky == cudaSuccess) sticky = error;
}

void clear_sticky_error() {
  sticky = cudaSuccess;
}

cudaError_t remember(cudaError_t error) {
  if (error != cudaSuccess) last = error;
  return error;
}

cudaError_t last_error() {
  return sticky != cudaSuccess ? sticky : last;
}

void clear_last_error() {
  last = cudaSuccess;
}

bool launch_blocking() {
  static const bool blocking = [] {
    const char* text = std::getenv("CUDA_LAUNCH_BLOCKING");
    return text != nullptr && std::atoi(text) != 0;
  }();
  return blocking;
}

}  // namespace vgpu::runtime

using namespace vgpu::runtime;

VGPU_API cudaError_t cudaGetLastError() {
  Guard guard;
  const cudaError_t error = last_error();
  clear_last_error();
  return error;
}

VGPU_API cudaError_t cudaPeekAtLastError() {
  Guard guard;
  return last_error();
}
