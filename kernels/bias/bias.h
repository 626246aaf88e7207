// The bias of a convolution: its gradient, db[k] = sum over images and pixels of dy[n, k, pixel], summed in
// double in a fixed order; alone, or in one pass with the ReLU behind the layer. (The forward bias is part of
// the convolution rows.)
#pragma once

#include <cstdint>

#include "kernels/base/exec.h"
#include "kernels/base/types.h"

namespace kernels {

struct BiasProblem {
  int64_t N = 1, K = 1, pixels = 1;
};

template <class T>
struct BiasKernels {
  /// dy [N, K, pixels], db [K].
  using Backward = void (*)(const Exec&, const BiasProblem&, const T* dy, T* db, GradMode mode);

  /// For a layer with a ReLU, y [N, K, pixels] its output: dz = y > 0 ? dy : 0 replaces dy, and db is the sum
  /// of dz. The bits of ReluKernels::backward in place and then `backward`. Ignore concerns db alone (which
  /// may then be null): dz is written all the same.
  using ReluBackward = void (*)(const Exec&, const BiasProblem&, const T* y, T* dy, T* db, GradMode mode);

  Backward backward;
  ReluBackward relu_backward;

  constexpr BiasKernels(Backward b, ReluBackward rb) : backward(b), relu_backward(rb) {}
};

/// The kernels of a backend; DeviceUnavailable where this build has none.
template <class T>
const BiasKernels<T>& bias_kernels(Backend backend);

/// cuda.cu, or nullptr from no_cuda.cpp.
const BiasKernels<float>* cuda_bias_kernels();

}  // namespace kernels
