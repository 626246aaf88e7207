// Filters to half-transformed rows, and gradients of filters back.
#pragma once

#include "kernels/conv2d/cpu_fft_rows.h"

namespace kernels {
namespace {

/// The R S taps of kLanes filters as columns of lanes; lanes without a filter are zero.
template <int kLanes>
void load_taps(const FftFilterRows& job, float* planar, float* to) {
  const int64_t taps = job.R * job.S, padded = taps < kLanes ? kLanes : taps;
  if (job.lanes_used == kLanes && taps >= kLanes) {
    rows_to_lanes<kLanes>(job.w, job.lane_stride, taps, to);
    return;
  }
  for (int64_t i = 0; i < kLanes; ++i) {
    fill_zero(planar + i * padded, padded);
    if (i < job.lanes_used) {
      __builtin_memcpy(planar + i * padded, job.w + i * job.lane_stride, sizeof(float) * taps);
    }
  }
  rows_to_lanes<kLanes>(planar, padded, padded, to);
}

template <int kLanes>
void filter_rows(const FftFilterRows& job) {
  constexpr int kLine = 2 * kLanes;
  const int64_t T = job.size->size, taps = job.R * job.S;
  float* lanes = job.scratch;
  float* pair = lanes + kLanes * (taps + job.S + kLanes);
  load_taps<kLanes>(job, pair, lanes);
  fill_zero(lanes + kLanes * taps, kLanes * job.S);  // the row that makes an odd last one a pair
  for (int64_t r = 0; r < job.R; r += 2) {
    const bool both = r + 1 < job.R;
    // Turned: row r is the row R - 1 - r, read backwards.
    const float* a = job.turned ? lanes + kLanes * (taps - 1 - r * job.S) : lanes + kLanes * r * job.S;
    const float* b = job.turned ? a - kLanes * job.S : a + kLanes * job.S;
    const int64_t step = job.turned ? -kLanes : kLanes;
    if (!both && job.turned) b = lanes + kLanes * (taps + job.S - 1);
    job.size->forward({.in_re = a,
                       .in_im = b,
                       .out_re = pair,
                       .out_im = pair + kLanes,
                       .stride = step,
                       .k1_stride = kLine,
                       .k2_stride = job.size->radix_a * kLine,
                       .count = job.S,
                       .roots = job.roots});
    float* to = job.rows + r * kLine;
    separate_rows<kLanes>(pair, T, -1.0f, to, both ? to + kLine : nullptr, job.column_stride);
  }
}

template <int kLanes>
void filter_taps(const FftFilterTaps& job) {
  constexpr int kLine = 2 * kLanes;
  const int64_t T = job.size->size, taps = job.R * job.S, pitch = taps + kLanes;
  float* lanes = job.scratch;
  float* second = lanes + kLanes * pitch;  // of an odd last pair: not used
  float* pair = second + kLanes * job.S;
  for (int64_t r = 0; r < job.R; r += 2) {
    const bool both = r + 1 < job.R;
    const float* a = job.rows + r * kLine;
    join_rows<kLanes>(a, both ? a + kLine : nullptr, job.column_stride, T, pair);
    float* to = lanes + kLanes * r * job.S;
    job.size->inverse({.in_re = pair,
                       .in_im = pair + kLanes,
                       .out_re = to,
                       .out_im = both ? to + kLanes * job.S : second,
                       .stride = kLanes,
                       .k1_stride = kLine,
                       .k2_stride = job.size->radix_a * kLine,
                       .count = job.S,
                       .roots = job.roots});
  }
  lanes_to_rows<kLanes>(lanes, taps, pair, pitch);
  for (int64_t i = 0; i < job.lanes_used; ++i) {
    float* to = job.w + i * job.lane_stride;
    const float* from = pair + i * pitch;
    for (int64_t t = 0; t < taps; ++t) {
      float& tap = to[job.turned ? taps - 1 - t : t];
      tap = (job.add ? tap : 0.0f) + from[t] * job.scale;
    }
  }
}

}  // namespace
}  // namespace kernels
