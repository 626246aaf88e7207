// The SIMD loops of cpu.direct, written once for any vector length and compiled by each cpu_direct_<isa>.cpp.
// Everything is in an unnamed namespace, so every instruction set keeps its own copy at link time.
//   correlate: a tile of k_count channels x some spans stays in registers; one tap costs a load per span and
//   a
//              broadcast per channel.
//   wgrad:     a tile of k_count channels x some taps stays in registers, a vector along q each; one step
//   costs
//              a load per channel and per tap. Bands of segments small enough for the first-level cache are
//              swept by all taps; the sums of bands are added up in a second level, which also halves
//              rounding.
// The tiles nearly fill the registers: 24 sums of 32 registers, 12 of 16.
#pragma once

#include <cstdint>

#include "kernels/conv2d/cpu_direct.h"

#define CPM_INLINE inline __attribute__((always_inline))

namespace kernels {
namespace {

template <int kLanes>
struct Simd {
  typedef float Vector __attribute__((vector_size(kLanes * sizeof(float))));

  static CPM_INLINE void load(Vector& v, const float* from) { __builtin_memcpy(&v, from, sizeof v); }
  static CPM_INLINE void store(const Vector& v, float* to) { __builtin_memcpy(to, &v, sizeof v); }
};

/// Adds a tile's sums to the bias or to what is there, and stores the lanes that the span owns.
template <int kLanes>
CPM_INLINE void finish_span(const CorrelateJob& job, const typename Simd<kLanes>::Vector& sum, int64_t k,
                            const DirectSpan& span) {
  using S = Simd<kLanes>;
  float* out = job.out + k * job.out_plane + span.out;
  const float start = job.add || job.bias == nullptr ? 0.0f : job.bias[k];
  if (span.lane_begin == 0 && span.lane_end == kLanes) {
    typename S::Vector old = {};
    if (job.add) {
      S::load(old, out);
    } else {
      old += start;
    }
    S::store(old + sum, out);
    return;
  }
  float lanes[kLanes];
  S::store(sum, lanes);
  for (int32_t i = span.lane_begin; i < span.lane_end; ++i) out[i] = (job.add ? out[i] : start) + lanes[i];
}

/// One tile: kRows output channels x kSpans spans; only the first `used` spans are stored.
template <int kLanes, int kRows, int kSpans>
void correlate_tile(const CorrelateJob& job, const DirectSpan* const (&span)[kSpans], int64_t used) {
  using S = Simd<kLanes>;
  typename S::Vector sum[kRows][kSpans] = {};
  const float* in[kSpans];
  for (int m = 0; m < kSpans; ++m) in[m] = job.in + span[m]->in;
  const float* w = job.weights;
  int64_t plane = 0;
  for (int64_t c = 0; c < job.channels; ++c, plane += job.in_plane) {
    for (int64_t t = 0; t < job.tap_count; ++t, w += kRows) {
      const int64_t at = plane + job.taps[t];
      // The next channel's row is pages away, out of reach of the processor's own prefetcher.
      __builtin_prefetch(in[0] + at + job.in_plane);
      __builtin_prefetch(in[kSpans - 1] + at + job.in_plane + kLanes - 1);
      typename S::Vector x[kSpans];
#pragma GCC unroll 16
      for (int m = 0; m < kSpans; ++m) S::load(x[m], in[m] + at);
#pragma GCC unroll 16
      for (int k = 0; k < kRows; ++k) {
#pragma GCC unroll 16
        for (int m = 0; m < kSpans; ++m) sum[k][m] += x[m] * w[k];
      }
    }
  }
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
      float total = 0.0f;
      for (int i = 0; i < kLanes; ++i) total += sums[k][t][i];
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

/// A correlate tile has at most kRows channels, a wgrad tile kWgradRows.
template <int kLanes, int kRegisters, int kRows, int kWgradRows>
constexpr DirectKernels direct_kernels() {
  return {kLanes, kRows, kWgradRows, correlate<kLanes, kRegisters, kRows>,
          wgrad<kLanes, kRegisters, kWgradRows>};
}

}  // namespace
}  // namespace kernels

#undef CPM_INLINE
