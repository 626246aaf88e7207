// wgrad: a tile of channels x taps stays in registers, a vector along q each; one step costs a load per
// channel and per tap. Bands of segments small enough for the first-level cache are swept by all taps; the
// sums of bands are added up in a second level, which also halves rounding.
#pragma once

#include "kernels/conv2d/cpu_direct_simd.h"

namespace kernels {
namespace {

/// The sum of the lanes, halves added to halves.
template <int kLanes>
CPM_INLINE float lane_sum(const typename Simd<kLanes>::Vector& v) {
  if constexpr (kLanes == 1) {
    return v[0];
  } else {
    typename Simd<kLanes / 2>::Vector halves[2];
    __builtin_memcpy(halves, &v, sizeof v);
    halves[0] += halves[1];
    return lane_sum<kLanes / 2>(halves[0]);
  }
}

/// sums[k kDirectMaxTaps + tap] += one band, for kRows channels and kTaps taps.
template <int kLanes, int kRows, int kTaps>
void wgrad_tile(const WgradJob& job, const DirectSegment* segment, const DirectSegment* end,
                const int64_t* taps, typename Simd<kLanes>::Vector* sums) {
  using S = Simd<kLanes>;
  typename S::Vector sum[kRows][kTaps] = {};
  int64_t tap[kTaps];
  for (int j = 0; j < kTaps; ++j) tap[j] = taps[j];
  for (; segment != end; ++segment) {
    const float* x = job.x + segment->x;
    const float* dy = job.dy + segment->dy;
    for (int64_t i = 0; i < segment->vectors; ++i, x += kLanes, dy += kLanes) {
      typename S::Vector d[kRows];
#pragma GCC unroll 16
      for (int k = 0; k < kRows; ++k) S::load(d[k], dy + k * job.dy_plane);
      if (segment->masked) {
        typename S::Vector mask;
        S::load(mask, job.mask);
#pragma GCC unroll 16
        for (int k = 0; k < kRows; ++k) d[k] *= mask;
      }
#pragma GCC unroll 16
      for (int j = 0; j < kTaps; ++j) {
        typename S::Vector v;
        S::load(v, x + tap[j]);
#pragma GCC unroll 16
        for (int k = 0; k < kRows; ++k) sum[k][j] += v * d[k];
      }
    }
  }
#pragma GCC unroll 16
  for (int k = 0; k < kRows; ++k) {
#pragma GCC unroll 16
    for (int j = 0; j < kTaps; ++j) sums[k * kDirectMaxTaps + j] += sum[k][j];
  }
}

/// The tile for the last `count` <= kTaps taps of a band.
template <int kLanes, int kRows, int kTaps>
CPM_INLINE void wgrad_some_taps(const WgradJob& job, const DirectSegment* begin, const DirectSegment* end,
                                const int64_t* taps, int64_t count, typename Simd<kLanes>::Vector* sums) {
  if constexpr (kTaps > 0) {
    if (count == kTaps) {
      wgrad_tile<kLanes, kRows, kTaps>(job, begin, end, taps, sums);
    } else {
      wgrad_some_taps<kLanes, kRows, kTaps - 1>(job, begin, end, taps, count, sums);
    }
  }
}

/// Taps of a wgrad tile: as many as leave registers for the sums, a vector per channel and one of x.
constexpr int tile_taps(int registers, int rows) {
  const int taps = (registers - rows - 1) / rows;
  return taps < 8 ? taps : 8;
}

template <int kLanes, int kRegisters, int kRows>
void wgrad_rows(const WgradJob& job) {
  using S = Simd<kLanes>;
  constexpr int kTaps = tile_taps(kRegisters, kRows);
  constexpr int64_t kBandVectors = 1024 / kLanes;  // of one channel of dy: 4 KiB
  typename S::Vector sums[kRows][kDirectMaxTaps];
  for (int k = 0; k < kRows; ++k) {
    for (int64_t t = 0; t < job.tap_count; ++t) sums[k][t] = typename S::Vector{};
  }
  const int64_t chunks = (job.tap_count + kTaps - 1) / kTaps;
  const DirectSegment* const last = job.segments + job.segment_count;
  for (const DirectSegment *begin = job.segments, *end = begin; begin != last; begin = end) {
    for (int64_t vectors = 0; end != last && vectors < kBandVectors; ++end) vectors += end->vectors;
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {  // chunks of nearly the same size
      const int64_t t = chunk * job.tap_count / chunks;
      const int64_t count = (chunk + 1) * job.tap_count / chunks - t;
      wgrad_some_taps<kLanes, kRows, kTaps>(job, begin, end, job.taps + t, count, &sums[0][t]);
    }
  }
  for (int k = 0; k < kRows; ++k) {
    for (int64_t t = 0; t < job.tap_count; ++t) {
      const float total = lane_sum<kLanes>(sums[k][t]);
      float& dw = job.dw[k * job.dw_stride + t];
      dw = job.add ? dw + total : total;
    }
  }
}

template <int kLanes, int kRegisters, int kRows>
void wgrad(const WgradJob& job) {
  if constexpr (kRows > 0) {
    if (job.k_count == kRows) {
      wgrad_rows<kLanes, kRegisters, kRows>(job);
    } else {
      wgrad<kLanes, kRegisters, kRows - 1>(job);
    }
  }
}

}  // namespace
}  // namespace kernels
