// Two real rows as the real and the imaginary part of one complex line: of rows a and b with the transform Z
// of a + i b,
//   2 A[f] = Z[f] + conj Z[T - f],   2 i B[f] = Z[f] - conj Z[T - f].
// The factor 2 stays in the spectra; the caller's scale takes it out.
#pragma once

#include "kernels/conv2d/cpu_fft_line.h"

namespace kernels {
namespace {

/// Where a tile's scratch lies: half-transformed rows, two rows of pixels, a transformed pair, planar rows.
template <int kLanes>
struct TileScratch {
  float *half, *rows, *pair, *planar;

  TileScratch(float* scratch, int64_t T)
      : half(scratch),
        rows(half + 2 * kLanes * T * fft_half_pitch(T)),
        pair(rows + 2 * kLanes * (T + kLanes)),
        planar(pair + 2 * kLanes * T) {}
};

/// Bins 0 ... T/2 of two real rows from the transform of their pair; `sign` -1 takes the conjugate.
template <int kLanes>
CPM_INLINE void separate_rows(const float* pair, int64_t T, float sign, float* a, float* b, int64_t stride) {
  constexpr int kLine = 2 * kLanes;
  for (int64_t f = 0; f <= T / 2; ++f) {
    const float* mirrored = pair + (f == 0 ? 0 : T - f) * kLine;
    const auto z = load<kLanes>(pair + f * kLine, pair + f * kLine + kLanes);
    const auto m = load<kLanes>(mirrored, mirrored + kLanes);
    store<kLanes>({z.re + m.re, (z.im - m.im) * sign}, a + f * stride, a + f * stride + kLanes);
    if (b != nullptr)
      store<kLanes>({z.im + m.im, (m.re - z.re) * sign}, b + f * stride, b + f * stride + kLanes);
  }
}

/// The pair's bins from those of its rows; b may be null: a row of zeros.
template <int kLanes>
CPM_INLINE void join_rows(const float* a, const float* b, int64_t stride, int64_t T, float* pair) {
  constexpr int kLine = 2 * kLanes;
  using Value = Complex<typename Simd<kLanes>::Vector>;
  for (int64_t f = 0; f <= T / 2; ++f) {
    const Value x = load<kLanes>(a + f * stride, a + f * stride + kLanes);
    Value y = {};
    if (b != nullptr) y = load<kLanes>(b + f * stride, b + f * stride + kLanes);
    store<kLanes>({x.re - y.im, x.im + y.re}, pair + f * kLine, pair + f * kLine + kLanes);
    float* mirrored = pair + (f == 0 ? 0 : T - f) * kLine;
    if (f > 0) store<kLanes>({x.re + y.im, y.re - x.im}, mirrored, mirrored + kLanes);
  }
}

}  // namespace
}  // namespace kernels
