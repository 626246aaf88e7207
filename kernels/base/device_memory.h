// Device memory with an owner.
#pragma once

#include <utility>

#include "kernels/base/device_runtime.h"

namespace kernels {

/// `bytes` of a backend's memory (DeviceRuntime::allocate), freed with this object. Movable.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  DeviceMemory(const Exec& exec, size_t bytes)
      : runtime_(&device_runtime(exec.backend)),
        device_(exec.device),
        bytes_(bytes),
        data_(runtime_->allocate(device_, bytes)) {}
  DeviceMemory(DeviceMemory&& other) noexcept { swap(other); }
  DeviceMemory& operator=(DeviceMemory&& other) noexcept {
    swap(other);
    return *this;
  }
  ~DeviceMemory() {
    if (data_ != nullptr) runtime_->release(device_, data_);
  }

  void* data() const { return data_; }
  float* floats() const { return static_cast<float*>(data_); }
  size_t bytes() const { return bytes_; }

 private:
  void swap(DeviceMemory& other) noexcept {
    std::swap(runtime_, other.runtime_);
    std::swap(device_, other.device_);
    std::swap(bytes_, other.bytes_);
    std::swap(data_, other.data_);
  }

  DeviceRuntime* runtime_ = nullptr;
  int device_ = 0;
  size_t bytes_ = 0;
  void* data_ = nullptr;
};

}  // namespace kernels
