// Pooling by cuDNN, for tests and benchmarks; training uses the kernels of pool2d.h.
#pragma once

#include <string>

#include "kernels/pool2d/pool2d.h"

namespace kernels {

/// Not Pool2dKernels: cuDNN keeps no places of maxima, so its backward pass wants x and y, and which of
/// several equal maxima gets the gradient is its own affair. x dx [planes, H, W], y dy [planes, P, Q].
struct LibraryPool2d {
  /// Empty, or the reason why not: cuDNN has PyTorch's floor mode only.
  std::string (*supports)(const PoolProblem&);
  void (*max_forward)(const Exec&, const PoolProblem&, const float* x, float* y);
  void (*max_backward)(const Exec&, const PoolProblem&, const float* x, const float* y, const float* dy,
                       float* dx, GradMode mode);
  Pool2dKernels<float>::AvgForward avg_forward;
  Pool2dKernels<float>::AvgBackward avg_backward;
};

/// Null where cuDNN cannot be used on exec's device; `missing` then says why.
const LibraryPool2d* cudnn_pool2d(const Exec& exec, std::string* missing);

}  // namespace kernels
