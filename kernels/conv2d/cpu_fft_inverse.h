// The spectrum of a tile back to pixels.
#pragma once

#include "kernels/conv2d/cpu_fft_rows.h"

namespace kernels {
namespace {

/// scale value + bias, then perhaps the ReLU, of `count` columns of kLanes channels.
template <int kLanes>
CPM_INLINE void finish_columns(const FftInverse& job, const typename Simd<kLanes>::Vector& bias,
                               typename Simd<kLanes>::Vector* v, int count) {
  const typename Simd<kLanes>::Vector zero = {};
#pragma GCC unroll 16
  for (int i = 0; i < count; ++i) {
    v[i] = v[i] * job.scale + bias;
    if (job.relu) v[i] = v[i] < zero ? zero : v[i];
  }
}

/// One row of pixels, as columns of kLanes channels, to the image: in place where all channels and whole
/// blocks of columns are there (the last block may overlap the one before it), else by way of `planar`.
template <int kLanes>
void store_row(const FftInverse& job, const typename Simd<kLanes>::Vector& bias, int64_t i, const float* from,
               float* planar) {
  using S = Simd<kLanes>;
  const bool direct = !job.add && job.channels == kLanes && job.columns >= kLanes;
  float* const image = job.image + (job.top + i) * job.width + job.left;
  const int64_t pitch = job.size->size + kLanes;
  float* const to = direct ? image : planar;
  const int64_t stride = direct ? job.plane : pitch;
  for (int64_t begin = 0; begin < job.columns; begin += kLanes) {
    const int64_t at = direct && begin + kLanes > job.columns ? job.columns - kLanes : begin;
    typename S::Vector v[kLanes];
#pragma GCC unroll 16
    for (int c = 0; c < kLanes; ++c) S::load(v[c], from + (at + c) * kLanes);
    finish_columns<kLanes>(job, bias, v, kLanes);
    transpose<kLanes>(v);
#pragma GCC unroll 16
    for (int c = 0; c < kLanes; ++c) S::store(v[c], to + c * stride + at);
  }
  for (int64_t c = 0; c < (direct ? 0 : job.channels); ++c) {
    for (int64_t q = 0; q < job.columns; ++q) {
      float& y = image[c * job.plane + q];
      y = (job.add ? y : 0.0f) + planar[c * pitch + q];
    }
  }
}

template <int kLanes>
void inverse_tile(const FftInverse& job) {
  constexpr int kLine = 2 * kLanes;
  const int64_t T = job.size->size, pitch = fft_half_pitch(T) * kLine;
  const TileScratch<kLanes> s(job.scratch, T);
  for (int64_t j = 0; j <= T / 2; ++j) {
    const float* in = job.spectrum + j * job.column_stride;
    job.size->inverse({.in_re = in,
                       .in_im = in + kLanes,
                       .out_re = s.half + j * kLine,
                       .out_im = s.half + j * kLine + kLanes,
                       .stride = pitch,
                       .k1_stride = job.size->radix_b * kLine,
                       .k2_stride = kLine,
                       .count = job.rows,
                       .roots = job.roots});
  }
  float* second = s.rows + kLanes * (T + kLanes);
  float lanes[kLanes] = {};
  for (int64_t c = 0; job.bias != nullptr && c < job.channels; ++c) lanes[c] = job.bias[c];
  typename Simd<kLanes>::Vector bias;
  Simd<kLanes>::load(bias, lanes);
  for (int64_t i = 0; i < job.rows; i += 2) {
    const bool pair = i + 1 < job.rows;
    const float* a = s.half + i * pitch;
    join_rows<kLanes>(a, pair ? a + pitch : nullptr, kLine, T, s.pair);
    job.size->inverse({.in_re = s.pair,
                       .in_im = s.pair + kLanes,
                       .out_re = s.rows,
                       .out_im = second,
                       .stride = kLanes,
                       .k1_stride = kLine,
                       .k2_stride = job.size->radix_a * kLine,
                       .count = job.columns,
                       .roots = job.roots});
    store_row<kLanes>(job, bias, i, s.rows, s.planar);
    if (pair) store_row<kLanes>(job, bias, i + 1, second, s.planar);
  }
}

}  // namespace
}  // namespace kernels
