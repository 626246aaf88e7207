// ReLU: y = max(x, 0), keeping NaN. Backward from the output alone: dx = dy where y > 0, else 0 (as PyTorch
// at 0).
#pragma once

#include <cstdint>

#include "kernels/base/exec.h"
#include "kernels/base/types.h"

namespace kernels {

/// Arrays of `count` elements; y may be x, dx may be dy (in place).
template <class T>
struct ReluKernels {
  using Forward = void (*)(const Exec&, int64_t count, const T* x, T* y);
  using Backward = void (*)(const Exec&, int64_t count, const T* y, const T* dy, T* dx, GradMode mode);

  Forward forward;
  Backward backward;

  constexpr ReluKernels(Forward f, Backward b) : forward(f), backward(b) {}
};

/// The kernels of a backend; DeviceUnavailable where this build has none.
template <class T>
const ReluKernels<T>& relu_kernels(Backend backend);

/// cuda.cu, or nullptr from no_cuda.cpp.
const ReluKernels<float>* cuda_relu_kernels();

}  // namespace kernels
