// The bias of a convolution: its gradient, db[k] = sum over images and pixels of dy[n, k, pixel], summed in
// double in a fixed order. (The forward bias is part of the convolution rows.)
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

  Backward backward;

  constexpr explicit BiasKernels(Backward b) : backward(b) {}
};

/// The kernels of a backend; DeviceUnavailable where this build has none.
template <class T>
const BiasKernels<T>& bias_kernels(Backend backend);

}  // namespace kernels
