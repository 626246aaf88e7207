// A tile of pixels to its spectrum: rows two at a time, then columns.
#pragma once

#include "kernels/conv2d/cpu_fft_rows.h"

namespace kernels {
namespace {

/// Row `i` of the tile as columns of kLanes channels; false (and nothing written) where it is zero.
template <int kLanes>
bool load_row(const FftForward& job, int64_t i, float* planar, float* to) {
  const int64_t T = job.size->size, h = job.top + i;
  const int64_t begin = job.left < 0 ? -job.left : 0;
  const int64_t end = job.left + job.columns < job.width ? job.columns : job.width - job.left;
  if (i >= job.rows || h < 0 || h >= job.height || begin >= end) return false;
  const float* from = job.image + h * job.width + job.left;
  if (job.channels == kLanes && end - begin >= kLanes) {
    fill_zero(to, begin * kLanes);
    rows_to_lanes<kLanes>(from + begin, job.plane, end - begin, to + begin * kLanes);
    fill_zero(to + end * kLanes, (T - end) * kLanes);
    return true;
  }
  for (int64_t c = 0; c < kLanes; ++c) {
    float* row = planar + c * T;
    if (c >= job.channels) {
      fill_zero(row, T);
      continue;
    }
    fill_zero(row, begin);
    __builtin_memcpy(row + begin, from + c * job.plane + begin, sizeof(float) * (end - begin));
    fill_zero(row + end, T - end);
  }
  rows_to_lanes<kLanes>(planar, T, T, to);
  return true;
}

template <int kLanes>
void transform_row_pair(const FftForward& job, int64_t i, const TileScratch<kLanes>& s) {
  constexpr int kLine = 2 * kLanes;
  const int64_t T = job.size->size, pitch = fft_half_pitch(T) * kLine;
  float* second = s.rows + kLanes * T;
  const bool has_a = load_row<kLanes>(job, i, s.planar, s.rows);
  const bool has_b = i + 1 < T && load_row<kLanes>(job, i + 1, s.planar, second);
  float* a = s.half + i * pitch;
  float* b = i + 1 < T ? a + pitch : nullptr;
  if (!has_a && !has_b) {
    fill_zero(a, pitch);
    if (b != nullptr) fill_zero(b, pitch);
    return;
  }
  if (!has_a) fill_zero(s.rows, kLanes * T);
  if (!has_b) fill_zero(second, kLanes * T);
  job.size->forward({.in_re = s.rows,
                     .in_im = second,
                     .out_re = s.pair,
                     .out_im = s.pair + kLanes,
                     .stride = kLanes,
                     .k1_stride = kLine,
                     .k2_stride = job.size->radix_a * kLine,
                     .count = job.columns < T ? job.columns : T,
                     .roots = job.roots});
  separate_rows<kLanes>(s.pair, T, 1.0f, a, b, kLine);
}

template <int kLanes>
void forward_tile(const FftForward& job) {
  constexpr int kLine = 2 * kLanes;
  const int64_t T = job.size->size;
  const TileScratch<kLanes> s(job.scratch, T);
  const int64_t rows = job.rows < T ? job.rows : T;
  for (int64_t i = 0; i < rows; i += 2) transform_row_pair<kLanes>(job, i, s);
  for (int64_t j = 0; j <= T / 2; ++j) {
    float* out = job.spectrum + j * job.column_stride;
    job.size->forward({.in_re = s.half + j * kLine,
                       .in_im = s.half + j * kLine + kLanes,
                       .out_re = out,
                       .out_im = out + kLanes,
                       .stride = fft_half_pitch(T) * kLine,
                       .k1_stride = job.size->radix_b * kLine,
                       .k2_stride = kLine,
                       .count = rows,
                       .roots = job.roots});
  }
}

}  // namespace
}  // namespace kernels
