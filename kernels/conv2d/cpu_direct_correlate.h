// correlate, the loop of fprop and dgrad: a tile of channels x spans stays in registers; one tap costs a load
// per span and a broadcast per channel. The tiles nearly fill the registers: 24 sums of 32, 12 of 16.
#pragma once

#include "kernels/conv2d/cpu_direct_simd.h"

namespace kernels {
namespace {

/// What an output vector starts from: itself, or the bias.
template <int kLanes>
CPM_INLINE typename Simd<kLanes>::Vector start_of(const CorrelateJob& job, int64_t k, const float* out) {
  typename Simd<kLanes>::Vector start = {};
  if (job.add) {
    Simd<kLanes>::load(start, out);
  } else if (job.bias != nullptr) {
    start += job.bias[k];
  }
  return start;
}

/// Stores a tile's sums where every span owns all its lanes.
template <int kLanes, int kRows, int kSpans>
CPM_INLINE void finish_whole(const CorrelateJob& job, const DirectSpan* const (&span)[kSpans],
                             const typename Simd<kLanes>::Vector (&sum)[kRows][kSpans]) {
  using S = Simd<kLanes>;
  const typename S::Vector zero = {};
  float* out[kSpans];
  for (int m = 0; m < kSpans; ++m) out[m] = job.out + span[m]->out;
#pragma GCC unroll 16
  for (int k = 0; k < kRows; ++k) {
#pragma GCC unroll 16
    for (int m = 0; m < kSpans; ++m) {
      typename S::Vector v = start_of<kLanes>(job, k, out[m]) + sum[k][m];
      if (job.relu) v = v < zero ? zero : v;
      S::store(v, out[m]);
      out[m] += job.out_plane;
    }
  }
}

/// Stores the lanes that the span owns.
template <int kLanes>
CPM_INLINE void finish_span(const CorrelateJob& job, const typename Simd<kLanes>::Vector& sum, int64_t k,
                            const DirectSpan& span) {
  float* out = job.out + k * job.out_plane + span.out;
  const float start = job.add || job.bias == nullptr ? 0.0f : job.bias[k];
  float lanes[kLanes];
  Simd<kLanes>::store(sum, lanes);
  for (int32_t i = span.lane_begin; i < span.lane_end; ++i) {
    const float value = (job.add ? out[i] : start) + lanes[i];
    out[i] = job.relu && value < 0.0f ? 0.0f : value;
  }
}

/// One tile: kRows output channels x kSpans spans; only the first `used` spans are stored.
template <int kLanes, int kRows, int kSpans>
void correlate_tile(const CorrelateJob& job, const DirectSpan* const (&span)[kSpans], int64_t used) {
  using S = Simd<kLanes>;
  typename S::Vector sum[kRows][kSpans] = {};
  const float* in[kSpans];
  for (int m = 0; m < kSpans; ++m) in[m] = job.in + span[m]->in;
    // The outputs of neighbouring channels are pages apart: they come while the sums are made.
#pragma GCC unroll 16
  for (int k = 0; k < kRows; ++k) {
    const float* out = job.out + k * job.out_plane;
    __builtin_prefetch(out + span[0]->out, 1);
    __builtin_prefetch(out + span[kSpans - 1]->out + kLanes - 1, 1);
  }
  const float* w = job.weights;
  const auto step = [&](int64_t at) __attribute__((always_inline)) {
    typename S::Vector x[kSpans];
#pragma GCC unroll 16
    for (int m = 0; m < kSpans; ++m) S::load(x[m], in[m] + at);
#pragma GCC unroll 16
    for (int k = 0; k < kRows; ++k) {
#pragma GCC unroll 16
      for (int m = 0; m < kSpans; ++m) sum[k][m] += x[m] * w[k];
    }
    w += kRows;
  };
  if (job.tap_count == 1) {
    int64_t at = job.taps[0];
#pragma GCC unroll 4
    for (int64_t c = 0; c < job.channels; ++c, at += job.in_plane, w += job.weights_skip) step(at);
  } else {
    int64_t plane = 0;
    for (int64_t c = 0; c < job.channels; ++c, plane += job.in_plane, w += job.weights_skip) {
      for (int64_t t = 0; t < job.tap_count; ++t) {
        const int64_t at = plane + job.taps[t];
        // The next channel's row is pages away, out of reach of the processor's own prefetcher.
        __builtin_prefetch(in[0] + at + job.in_plane);
        __builtin_prefetch(in[kSpans - 1] + at + job.in_plane + kLanes - 1);
        step(at);
      }
    }
  }
  bool whole = used >= kSpans;
  for (int m = 0; m < kSpans; ++m) whole &= span[m]->lane_begin == 0 && span[m]->lane_end == kLanes;
  if (whole) return finish_whole<kLanes, kRows, kSpans>(job, span, sum);
  // A copy in memory for the loop that follows, so that the sums themselves can live in registers.
  typename S::Vector done[kRows][kSpans];
#pragma GCC unroll 16
  for (int k = 0; k < kRows; ++k) {
#pragma GCC unroll 16
    for (int m = 0; m < kSpans; ++m) done[k][m] = sum[k][m];
  }
  for (int k = 0; k < kRows; ++k) {
    for (int m = 0; m < kSpans; ++m) {
      if (m < used) finish_span<kLanes>(job, done[k][m], k, *span[m]);
    }
  }
}

/// Spans of a tile: as many as leave registers for the sums, a vector per span and a broadcast; a divisor of
/// 24, the number of spans that most jobs have.
constexpr int tile_spans(int registers, int rows) {
  int spans = 8;
  while (24 % spans != 0 || (rows + 1) * spans + 1 > registers) --spans;
  return spans;
}

/// All spans of a job for a block of kRows channels; fewer channels leave room for more spans in a tile.
template <int kLanes, int kRegisters, int kRows>
void correlate_rows(const CorrelateJob& job) {
  constexpr int kSpans = tile_spans(kRegisters, kRows);
  for (int64_t i = 0; i < job.span_count; i += kSpans) {
    const DirectSpan* span[kSpans];
    for (int m = 0; m < kSpans; ++m) {
      span[m] = job.spans + (i + m < job.span_count ? i + m : job.span_count - 1);
    }
    correlate_tile<kLanes, kRows, kSpans>(job, span, job.span_count - i);
  }
}

template <int kLanes, int kRegisters, int kRows>
void correlate(const CorrelateJob& job) {
  if constexpr (kRows > 0) {
    if (job.k_count == kRows) {
      correlate_rows<kLanes, kRegisters, kRows>(job);
    } else {
      correlate<kLanes, kRegisters, kRows - 1>(job);
    }
  }
}

}  // namespace
}  // namespace kernels
