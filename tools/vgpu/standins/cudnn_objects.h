// What stands behind the opaque handles of cudnn.h in the stand-in, and what its files share.
#pragma once

#include <cudnn.h>

#include <algorithm>
#include <cstdint>

#include "standins/transfer.h"

#define STANDIN_EXPORT extern "C" __attribute__((visibility("default")))

struct cudnnContext {
  cudaStream_t stream = nullptr;
};

/// float, NCHW, contiguous; all sizes 0 until it is set.
struct cudnnTensorStruct {
  int n = 0, c = 0, h = 0, w = 0;

  bool set() const { return n > 0; }
  size_t size() const { return static_cast<size_t>(n) * c * h * w; }
  bool operator==(const cudnnTensorStruct&) const = default;
};

struct cudnnFilterStruct {
  int k = 0, c = 0, r = 0, s = 0;

  bool set() const { return k > 0; }
  size_t size() const { return static_cast<size_t>(k) * c * r * s; }
};

struct cudnnConvolutionStruct {
  int pad_h = 0, pad_w = 0, stride_h = 0, stride_w = 0, dilation_h = 0, dilation_w = 0;
  cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
  cudnnMathType_t math = CUDNN_DEFAULT_MATH;

  bool set() const { return stride_h > 0; }
};

struct cudnnPoolingStruct {
  cudnnPoolingMode_t mode = CUDNN_POOLING_MAX;
  cudnnNanPropagation_t nan = CUDNN_NOT_PROPAGATE_NAN;
  int window_h = 0, window_w = 0, pad_h = 0, pad_w = 0, stride_h = 0, stride_w = 0;

  bool set() const { return window_h > 0; }
};

struct cudnnActivationStruct {
  cudnnActivationMode_t mode = CUDNN_ACTIVATION_IDENTITY;
  cudnnNanPropagation_t nan = CUDNN_NOT_PROPAGATE_NAN;
};

namespace vgpu::standin {

template <class... Pointers>
bool any_null(const Pointers*... pointers) {
  return ((pointers == nullptr) || ...);
}

inline double scalar(const void* value) {
  return static_cast<double>(*static_cast<const float*>(value));
}

/// A descriptor on the heap, as the create functions return it.
template <class Struct>
cudnnStatus_t create(Struct** out) {
  if (out == nullptr) return CUDNN_STATUS_BAD_PARAM;
  *out = new Struct;
  return CUDNN_STATUS_SUCCESS;
}

template <class Struct>
cudnnStatus_t destroy(Struct* object) {
  delete object;
  return CUDNN_STATUS_SUCCESS;
}

inline cudnnStatus_t finish(const Transfer& transfer) {
  return transfer.ok() ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_EXECUTION_FAILED;
}

}  // namespace vgpu::standin
