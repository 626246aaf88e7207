// The SIMD loops of cpu.fft as one table, written once for any vector length and compiled by each
// cpu_fft_<isa>.cpp with its own flags.
#pragma once

#include "kernels/conv2d/cpu_fft_filter.h"
#include "kernels/conv2d/cpu_fft_filter_bins.h"
#include "kernels/conv2d/cpu_fft_forward.h"
#include "kernels/conv2d/cpu_fft_inverse.h"
#include "kernels/conv2d/cpu_fft_product.h"

namespace kernels {
namespace {

template <int kLanes, int A, int B>
constexpr FftSize fft_size() {
  return {A * B,
          A,
          B,
          forward_line<A, B, kLanes>,
          inverse_line<A, B, kLanes>,
          filter_bins<B, kLanes>,
          filter_rows_back<B, kLanes>};
}

template <int kLanes>
inline constexpr FftSize kFftSizes[] = {
    fft_size<kLanes, 4, 4>(), fft_size<kLanes, 2, 9>(), fft_size<kLanes, 4, 5>(), fft_size<kLanes, 3, 8>(),
    fft_size<kLanes, 3, 9>(), fft_size<kLanes, 5, 6>(), fft_size<kLanes, 4, 8>(), fft_size<kLanes, 4, 9>(),
    fft_size<kLanes, 5, 8>(), fft_size<kLanes, 5, 9>(), fft_size<kLanes, 6, 8>(), fft_size<kLanes, 6, 9>(),
    fft_size<kLanes, 8, 8>()};

/// kOutputs: sums of a product that stay in registers.
template <int kLanes, int kOutputs>
constexpr FftKernels fft_kernels() {
  return {kLanes,
          kFftSizes<kLanes>,
          sizeof(kFftSizes<kLanes>) / sizeof(FftSize),
          forward_tile<kLanes>,
          inverse_tile<kLanes>,
          filter_rows<kLanes>,
          filter_taps<kLanes>,
          product<kLanes, false, kOutputs>,
          product<kLanes, true, kOutputs>};
}

}  // namespace
}  // namespace kernels
