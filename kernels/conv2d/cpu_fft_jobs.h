// The jobs of cpu.fft's transforms (cpu_fft.h): of lines, of tiles of pixels, of filters. Types only.
#pragma once

#include <cstdint>

namespace kernels {

inline constexpr int64_t kFftMaxSize = 64;

/// One complex transform of T points; strides in floats. Forward: points from `count` on are zero and not
/// read. Inverse (unscaled): only the first `count` points are written. Bin k1 + radix_a k2 lies at k1
/// k1_stride + k2 k2_stride; forward reads points and writes bins, inverse reads bins and writes points.
struct FftLine {
  const float* in_re;
  const float* in_im;
  float* out_re;
  float* out_im;
  int64_t stride;  // of points
  int64_t k1_stride, k2_stride;
  int64_t count;
  const float* roots;  // [T][2]: cos and -sin of 2 pi n / T
};

struct FftSize;

/// `channels` planes under a tile to its spectrum. Element (i, j) of the tile is pixel (top + i, left + j);
/// those outside the image, or with i >= rows or j >= columns, are zero.
struct FftForward {
  const FftSize* size;
  const float* roots;
  const float* image;  // channel 0
  int64_t plane;       // from channel to channel
  int64_t channels;    // 1 ... lanes
  int64_t height, width;
  int64_t top, left;
  int64_t rows, columns;
  float* spectrum;  // lines; column j begins at j column_stride
  int64_t column_stride;
  float* scratch;  // FftKernels::tile_scratch(T) floats
};

/// The spectrum of a tile back to `rows` x `columns` pixels at (top, left) of `channels` planes:
/// y = (add ? y : 0) + scale value + bias, then perhaps made 0 where negative.
struct FftInverse {
  const FftSize* size;
  const float* roots;
  const float* spectrum;
  int64_t column_stride;
  float* image;
  int64_t plane;
  int64_t channels;
  int64_t width;
  int64_t top, left;
  int64_t rows, columns;
  float scale;
  const float* bias;  // [channels] or null
  bool add, relu;
  float* scratch;
};

/// R x S taps of `lanes` filters, one a lane, to the conjugate spectra of their rows (twice their value):
/// lines [column][R], columns column_stride apart. `turned` takes the filters turned by 180 degrees.
struct FftFilterRows {
  const FftSize* size;
  const float* roots;
  const float* w;
  int64_t lane_stride;
  int64_t lanes_used;
  int64_t R, S;
  bool turned;
  float* rows;
  int64_t column_stride;
  float* scratch;
};

/// Those rows of one column for `filters` filters, [filter][R], to the bins k1 radix_b ... + radix_b - 1 of
/// the column: bins[k2 bin_stride + filter line].
struct FftFilterBins {
  const float* roots;
  int64_t size, k1;
  const float* rows;
  int64_t R, filters;
  float* bins;
  int64_t bin_stride;
};

/// The way back, of a filter gradient: adds what bins k1 radix_b ... contribute to the first R rows of each
/// filter's column, or overwrites them.
struct FftFilterRowsBack {
  const float* roots;
  int64_t size, k1;
  const float* bins;
  int64_t bin_stride;
  float* rows;
  int64_t R, filters;
  bool add;
};

/// Rows [column][R] back to taps, perhaps turned by 180 degrees: w = (add ? w : 0) + scale value.
struct FftFilterTaps {
  const FftSize* size;
  const float* roots;
  const float* rows;
  int64_t column_stride;
  float* w;
  int64_t lane_stride, lanes_used;
  int64_t R, S;
  float scale;
  bool add, turned;
  float* scratch;
};

}  // namespace kernels
