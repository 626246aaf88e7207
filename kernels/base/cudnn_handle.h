// cuDNN for the plugin libcpm_cudnn.so: checked calls, one handle a device, descriptors that free themselves.
#pragma once

#include <cudnn.h>

#include <cstdint>
#include <limits>
#include <mutex>
#include <string>

#include "kernels/base/exec.h"
#include "kernels/base/types.h"

namespace kernels::cudnn {

/// Throws Internal with the library's name of the status and `sizes`, where `status` is an error.
void check(cudnnStatus_t status, const char* call, const std::string& sizes = "");

/// The device's handle, set to exec's stream and kept from other threads while this lives.
class Handle {
 public:
  explicit Handle(const Exec& exec);
  operator cudnnHandle_t() const { return handle_; }

 private:
  std::unique_lock<std::mutex> lock_;
  cudnnHandle_t handle_;
};

/// cuDNN's sizes are ints, and a tensor has less than 2^31 elements.
inline bool fits(int64_t elements) {
  return elements <= std::numeric_limits<int>::max();
}

template <class T, cudnnStatus_t (*create)(T*), cudnnStatus_t (*destroy)(T)>
class Descriptor {
 public:
  Descriptor() { check(create(&value_), "create a descriptor"); }
  ~Descriptor() { (void)destroy(value_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  operator T() const { return value_; }

 private:
  T value_ = nullptr;
};

using TensorDescriptor =
    Descriptor<cudnnTensorDescriptor_t, cudnnCreateTensorDescriptor, cudnnDestroyTensorDescriptor>;

/// float, NCHW, contiguous.
class Tensor : public TensorDescriptor {
 public:
  Tensor(int64_t n, int64_t c, int64_t h, int64_t w) {
    check(cudnnSetTensor4dDescriptor(*this, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, static_cast<int>(n),
                                     static_cast<int>(c), static_cast<int>(h), static_cast<int>(w)),
          "cudnnSetTensor4dDescriptor");
  }
};

/// cuDNN computes out = alpha result + beta out; alpha is 1, and beta 1 adds to a gradient.
inline constexpr float kAlpha = 1.0f;
inline float beta_of(GradMode mode) {
  return mode == GradMode::Accumulate ? 1.0f : 0.0f;
}

}  // namespace kernels::cudnn
