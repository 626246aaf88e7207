// What the tests of CUDA kernels share: an Exec on the device (real or virtual) and guarded arrays on it.
#pragma once

#include <cstring>
#include <vector>

#include "kernels/base/device_runtime.h"
#include "tests/support/cpu_kernels.h"

namespace tests {

/// The bytes of `values`, for DeviceBuffer<unsigned char>: structs have no poison of their own.
template <class S>
std::vector<unsigned char> bytes_of(const std::vector<S>& values) {
  std::vector<unsigned char> bytes(values.size() * sizeof(S));
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

/// A stream on device 0, and workspaces.
class CudaDevice {
 public:
  CudaDevice() : runtime_(kernels::device_runtime(kernels::Backend::Cuda)) {
    exec.backend = kernels::Backend::Cuda;
    exec.stream = runtime_.create_stream(0);
  }
  ~CudaDevice() { runtime_.destroy_stream(exec.stream); }
  CudaDevice(const CudaDevice&) = delete;
  CudaDevice& operator=(const CudaDevice&) = delete;
  void synchronize() { runtime_.synchronize(exec); }
  kernels::DeviceRuntime& runtime() { return runtime_; }

  kernels::Exec exec;

 private:
  kernels::DeviceRuntime& runtime_;
};

/// `count` elements on the device between two guard bands; like GuardedBuffer, poisoned until written.
template <class T>
class DeviceBuffer {
 public:
  DeviceBuffer(CudaDevice& device, size_t count) : DeviceBuffer(device, GuardedBuffer<T>(count)) {}
  DeviceBuffer(CudaDevice& device, const std::vector<T>& values)
      : DeviceBuffer(device, GuardedBuffer<T>(values)) {}
  ~DeviceBuffer() { device_.runtime().release(0, memory_); }
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;

  T* data() { return reinterpret_cast<T*>(static_cast<unsigned char*>(memory_) + kGuardBytes); }
  /// The content as it is now; waits for the stream.
  GuardedBuffer<T> fetch() {
    GuardedBuffer<T> host(count_);
    device_.synchronize();
    device_.runtime().copy(device_.exec, host.data() - kGuardBytes / sizeof(T), memory_, bytes());
    device_.synchronize();
    return host;
  }
  std::vector<T> values() { return fetch().values(); }

 private:
  static constexpr size_t kGuardBytes = GuardedBuffer<T>::guard_bytes();

  DeviceBuffer(CudaDevice& device, GuardedBuffer<T> host)
      : device_(device), count_(host.size()), memory_(device.runtime().allocate(0, bytes())) {
    device.runtime().copy(device.exec, memory_, host.data() - kGuardBytes / sizeof(T), bytes());
    device.synchronize();
  }
  size_t bytes() const { return count_ * sizeof(T) + 2 * kGuardBytes; }

  CudaDevice& device_;
  size_t count_;
  void* memory_;
};

}  // namespace tests
