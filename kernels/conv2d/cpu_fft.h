// The seam of cpu.fft: cpu_fft.cpp cuts a problem into jobs, cpu_fft_<isa>.cpp runs them with SIMD. Types
// only, and only <cstdint>: the SIMD files may not see an inline function of another header.
//
// A tile of T x T real values has a spectrum of T/2 + 1 columns of T bins. Channels lie in the SIMD lanes: a
// "line" holds one bin of `lanes` channels, real parts first, then imaginary parts. T = radix_a radix_b; bin
// k1 + radix_a k2 of a column is stored at k1 radix_b + k2, the order in which the transform makes them.
#pragma once

#include <cstdint>

#include "kernels/conv2d/cpu_fft_jobs.h"

namespace kernels {

/// For each bin and output o: out[o] = sum over outer steps i, inner steps j of a[i, j] b[o][i, j]
/// (Correlate), or of conj(a[i]) b[o][i] (Wgrad, one inner step). a: lines, one a step; b: scalars whose
/// imaginary part lies `lanes` behind the real one. Offsets and steps are in floats.
struct FftProduct {
  const float* a;
  int64_t a_step, a_bin;
  const float* b;
  const int64_t* b_offsets;  // [outputs]
  int64_t b_outer, b_bin;
  int64_t outer, last_inner;  // inner is `lanes` for all outer steps but the last
  float* out;
  const int64_t* out_offsets;  // [outputs]
  int64_t out_bin;
  int64_t outputs, bins;
};

/// The transforms of one tile size.
struct FftSize {
  int64_t size, radix_a, radix_b;
  void (*forward)(const FftLine& line);
  void (*inverse)(const FftLine& line);
  void (*filter_bins)(const FftFilterBins& job);
  void (*filter_rows_back)(const FftFilterRowsBack& job);
};

struct FftKernels {
  int64_t lanes;
  const FftSize* sizes;
  int64_t size_count;
  void (*forward)(const FftForward& job);
  void (*inverse)(const FftInverse& job);
  void (*filter_rows)(const FftFilterRows& job);
  void (*filter_taps)(const FftFilterTaps& job);
  void (*correlate)(const FftProduct& job);
  void (*wgrad)(const FftProduct& job);
};

/// Lines from one row of half-transformed tiles to the next: odd, so that a column meets all sets of a cache.
constexpr int64_t fft_half_pitch(int64_t size) {
  return (size / 2 + 1) | 1;
}
/// Floats of scratch that a tile's transform needs.
constexpr int64_t fft_tile_scratch(int64_t size, int64_t lanes) {
  return 2 * lanes * (size * fft_half_pitch(size) + 4 * size) + 2 * lanes * (size + lanes);
}

/// Floats of scratch for the transforms of filters.
constexpr int64_t fft_filter_scratch(int64_t size, int64_t lanes, int64_t R, int64_t S) {
  return 2 * lanes * (R * S + S + 2 * lanes + size);
}

/// One per instruction set; a null pointer where this build has none.
const FftKernels* fft_kernels_avx512();
const FftKernels* fft_kernels_avx2();
const FftKernels* fft_kernels_portable();

}  // namespace kernels
