// Transforms of T = A B points (FftLine) in two passes: B transforms of A points, twiddles, A transforms of B
// points (Cooley and Tukey 1965); the inverse takes the passes in the other order.
#pragma once

#include "kernels/conv2d/cpu_fft_dft.h"

namespace kernels {
namespace {

/// The first pass of forward where only the first kUsed of each A points can be other than zero.
template <int A, int B, int kLanes, int kUsed>
CPM_INLINE void forward_first(const FftLine& j, float* t) {
  using Value = Complex<typename Simd<kLanes>::Vector>;
  constexpr int kLine = 2 * kLanes;
  for (int64_t n2 = 0; n2 < B; ++n2) {
    Value x[A] = {};
#pragma GCC unroll 9
    for (int n1 = 0; n1 < kUsed; ++n1) {
      const int64_t at = (n1 * B + n2) * j.stride;
      if (n1 * B + n2 < j.count) x[n1] = load<kLanes>(j.in_re + at, j.in_im + at);
    }
    if constexpr (kUsed == 1) {
#pragma GCC unroll 9
      for (int k = 1; k < A; ++k) x[k] = x[0];
    } else if constexpr (kUsed == 2) {
      const Value a = x[0], b = x[1];
      x[0] = a + b;
#pragma GCC unroll 9
      for (int k = 1; k < A; ++k) x[k] = a + times(b, j.roots[2 * B * k], j.roots[2 * B * k + 1]);
    } else {
      Dft<A>::run(x);
    }
    store<kLanes>(x[0], t + n2 * kLine, t + n2 * kLine + kLanes);
#pragma GCC unroll 9
    for (int k = 1; k < A; ++k) {
      const float* root = j.roots + 2 * n2 * k;
      float* to = t + (k * B + n2) * kLine;
      store<kLanes>(times(x[k], root[0], root[1]), to, to + kLanes);
    }
  }
}

template <int A, int B, int kLanes>
void forward_line(const FftLine& j) {
  constexpr int kLine = 2 * kLanes;
  alignas(64) float t[A * B * kLine];
  if (j.count <= B) {
    forward_first<A, B, kLanes, 1>(j, t);
  } else if (A > 2 && j.count <= 2 * B) {
    forward_first<A, B, kLanes, 2>(j, t);
  } else {
    forward_first<A, B, kLanes, A>(j, t);
  }
  for (int64_t k1 = 0; k1 < A; ++k1) {
    Complex<typename Simd<kLanes>::Vector> x[B];
    const float* from = t + k1 * B * kLine;
#pragma GCC unroll 9
    for (int n2 = 0; n2 < B; ++n2) x[n2] = load<kLanes>(from + n2 * kLine, from + n2 * kLine + kLanes);
    Dft<B>::run(x);
#pragma GCC unroll 9
    for (int k2 = 0; k2 < B; ++k2) {
      const int64_t at = k1 * j.k1_stride + k2 * j.k2_stride;
      store<kLanes>(x[k2], j.out_re + at, j.out_im + at);
    }
  }
}

/// The second pass of inverse: all A points of each group, or the first alone.
template <int A, int B, int kLanes, bool kFirstOnly>
CPM_INLINE void inverse_second(const FftLine& j, const float* t) {
  constexpr int kLine = 2 * kLanes;
  for (int64_t n2 = 0; n2 < B; ++n2) {
    Complex<typename Simd<kLanes>::Vector> x[A];
#pragma GCC unroll 9
    for (int k = 0; k < A; ++k) {
      const float* from = t + (k * B + n2) * kLine;
      x[k] = load<kLanes>(from, from + kLanes);
    }
    if constexpr (kFirstOnly) {
#pragma GCC unroll 9
      for (int k = 1; k < A; ++k) x[0] = x[0] + x[k];
    } else {
      Dft<A>::run(x);
    }
#pragma GCC unroll 9
    for (int n1 = 0; n1 < (kFirstOnly ? 1 : A); ++n1) {
      const int64_t at = (n1 * B + n2) * j.stride;
      if (n1 * B + n2 < j.count) store<kLanes>(x[n1], j.out_im + at, j.out_re + at);
    }
  }
}

/// Real and imaginary parts are exchanged on the way in and out.
template <int A, int B, int kLanes>
void inverse_line(const FftLine& j) {
  constexpr int kLine = 2 * kLanes;
  alignas(64) float t[A * B * kLine];
  for (int64_t k1 = 0; k1 < A; ++k1) {
    Complex<typename Simd<kLanes>::Vector> x[B];
#pragma GCC unroll 9
    for (int k2 = 0; k2 < B; ++k2) {
      const int64_t at = k1 * j.k1_stride + k2 * j.k2_stride;
      x[k2] = load<kLanes>(j.in_im + at, j.in_re + at);
    }
    Dft<B>::run(x);
    float* to = t + k1 * B * kLine;
#pragma GCC unroll 9
    for (int n2 = 0; n2 < B; ++n2) {
      const float* root = j.roots + 2 * n2 * k1;
      store<kLanes>(n2 == 0 ? x[0] : times(x[n2], root[0], root[1]), to + n2 * kLine,
                    to + n2 * kLine + kLanes);
    }
  }
  if (j.count <= B) {
    inverse_second<A, B, kLanes, true>(j, t);
  } else {
    inverse_second<A, B, kLanes, false>(j, t);
  }
}

}  // namespace
}  // namespace kernels
