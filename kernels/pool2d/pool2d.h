// Max and average pooling over NCHW, with PyTorch's floor mode and Caffe's ceil mode.
// Max: the first maximum of a window in row-major order wins, NaN wins over numbers (as PyTorch); its place
// in the window (r * kernel + s, a byte) is kept for backward. Average: PyTorch divides by kernel^2, padding
// counted; Caffe divides by the part of the window inside the padded image (its pooling_layer.cpp).
// ReLU and max pooling as one: the ReLU's output is never written, y and argmax are those of max pooling on
// it.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/base/exec.h"
#include "kernels/base/types.h"

namespace kernels {

enum class PoolRounding { Floor, Ceil };

/// Square window, symmetric padding < kernel, one stride; planes = N * C.
struct PoolProblem {
  int64_t planes = 1, H = 1, W = 1;
  int64_t kernel = 3, stride = 2, pad = 1;
  PoolRounding rounding = PoolRounding::Floor;

  /// Output height and width. Ceil mode drops a last window that would start beyond the image and its
  /// padding.
  int64_t P() const { return output(H); }
  int64_t Q() const { return output(W); }

  int64_t x_size() const { return planes * H * W; }
  int64_t y_size() const { return planes * P() * Q(); }

  bool operator==(const PoolProblem&) const = default;

 private:
  int64_t output(int64_t size) const;
};

std::string to_string(const PoolProblem& problem);

/// x [planes, H, W], y dy [planes, P, Q], argmax [planes, P, Q] bytes (kernel <= 15).
template <class T>
struct Pool2dKernels {
  using MaxForward = void (*)(const Exec&, const PoolProblem&, const T* x, T* y, uint8_t* argmax);
  using MaxBackward = void (*)(const Exec&, const PoolProblem&, const T* dy, const uint8_t* argmax, T* dx,
                               GradMode mode);
  /// x before the ReLU: y and argmax of max_forward(relu(x)), bit for bit.
  using ReluMaxForward = MaxForward;
  /// dx before the ReLU, y of relu_max_forward: ReluKernels::backward of max_backward, bit for bit. A window
  /// whose y is not positive gives nothing.
  using ReluMaxBackward = void (*)(const Exec&, const PoolProblem&, const T* dy, const T* y,
                                   const uint8_t* argmax, T* dx, GradMode mode);
  using AvgForward = void (*)(const Exec&, const PoolProblem&, const T* x, T* y);
  using AvgBackward = void (*)(const Exec&, const PoolProblem&, const T* dy, T* dx, GradMode mode);

  MaxForward max_forward;
  MaxBackward max_backward;
  ReluMaxForward relu_max_forward;
  ReluMaxBackward relu_max_backward;
  AvgForward avg_forward;
  AvgBackward avg_backward;

  constexpr Pool2dKernels(MaxForward mf, MaxBackward mb, ReluMaxForward rmf, ReluMaxBackward rmb,
                          AvgForward af, AvgBackward ab)
      : max_forward(mf),
        max_backward(mb),
        relu_max_forward(rmf),
        relu_max_backward(rmb),
        avg_forward(af),
        avg_backward(ab) {}
};

/// The kernels of a backend; DeviceUnavailable where this build has none.
template <class T>
const Pool2dKernels<T>& pool2d_kernels(Backend backend);

/// cuda.cu, or nullptr from no_cuda.cpp.
const Pool2dKernels<float>* cuda_pool2d_kernels();

}  // namespace kernels
