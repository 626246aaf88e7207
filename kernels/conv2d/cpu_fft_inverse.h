// The spectrum of a tile back to pixels.
#pragma once

#include "kernels/conv2d/cpu_fft_rows.h"

namespace kernels {
namespace {

/// One row of pixels, as columns of kLanes channels, to the image.
template <int kLanes>
void store_row(const FftInverse& job, int64_t i, const float* from, float* planar) {
  const int64_t pitch = job.size->size + kLanes;
  lanes_to_rows<kLanes>(from, job.columns, planar, pitch);
  for (int64_t c = 0; c < job.channels; ++c) {
    float* to = job.image + c * job.plane + (job.top + i) * job.width + job.left;
    const float* row = planar + c * pitch;
    const float start = job.bias == nullptr ? 0.0f : job.bias[c];
    if (job.add) {
      for (int64_t q = 0; q < job.columns; ++q) to[q] += row[q] * job.scale;
    } else if (job.relu) {
      for (int64_t q = 0; q < job.columns; ++q) {
        const float value = row[q] * job.scale + start;
        to[q] = value < 0.0f ? 0.0f : value;
      }
    } else {
      for (int64_t q = 0; q < job.columns; ++q) to[q] = row[q] * job.scale + start;
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
    store_row<kLanes>(job, i, s.rows, s.planar);
    if (pair) store_row<kLanes>(job, i + 1, second, s.planar);
  }
}

}  // namespace
}  // namespace kernels
