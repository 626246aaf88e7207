// What the max pooling kernels of CUDA share: the rule for the best of a window.
#pragma once

namespace kernels::cuda {

/// The best pixel of a part of a window, and its place in the window or the row.
struct Best {
  float value = 0.0f;
  int place = 0;
  bool any = false;  // the part has a pixel
};

/// Takes a later part into an earlier one: a larger value or any NaN replaces what is there, as PyTorch does.
inline __device__ void take(Best& best, const Best& later) {
  if (later.any && (!best.any || later.value > best.value || later.value != later.value)) best = later;
}

/// x, or ReLU of x (its comparison keeps NaN and -0).
template <bool kRelu>
__device__ float input(float x) {
  return kRelu && x < 0.0f ? 0.0f : x;
}

}  // namespace kernels::cuda
