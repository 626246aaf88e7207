// The product of spectra, bin by bin a complex matrix product: kOutputs sums stay in registers, each step
// costs one load of a line and two broadcasts an output for four multiply-adds an output.
#pragma once

#include "kernels/conv2d/cpu_fft_simd.h"

namespace kernels {
namespace {

template <int kLanes, bool kWgrad, int kOutputs>
CPM_INLINE void product_step(const float* a, const float* const (&b)[kOutputs], int64_t at,
                             Complex<typename Simd<kLanes>::Vector> (&sum)[kOutputs]) {
  const auto x = load<kLanes>(a, a + kLanes);
#pragma GCC unroll 16
  for (int o = 0; o < kOutputs; ++o) {
    const float re = b[o][at], im = b[o][at + kLanes];
    sum[o].re += x.re * re;
    sum[o].im += x.re * im;
    if constexpr (kWgrad) {
      sum[o].re += x.im * im;
      sum[o].im -= x.im * re;
    } else {
      sum[o].re -= x.im * im;
      sum[o].im += x.im * re;
    }
  }
}

template <int kLanes, bool kWgrad, int kOutputs>
void product_block(const FftProduct& job, int64_t first, int64_t bin) {
  using Value = Complex<typename Simd<kLanes>::Vector>;
  Value sum[kOutputs] = {};
  const float* b[kOutputs];
  for (int o = 0; o < kOutputs; ++o) b[o] = job.b + job.b_offsets[first + o] + bin * job.b_bin;
  const float* a = job.a + bin * job.a_bin;
  int64_t at = 0;
  if constexpr (kWgrad) {
    for (int64_t i = 0; i < job.outer; ++i, at += job.b_outer, a += job.a_step) {
      __builtin_prefetch(a + job.a_bin);
      __builtin_prefetch(b[0] + at + job.b_bin);
      __builtin_prefetch(b[kOutputs - 1] + at + job.b_bin);
      product_step<kLanes, true>(a, b, at, sum);
    }
  } else {
    for (int64_t i = 0; i + 1 < job.outer; ++i, at += job.b_outer) {
      // The next bin's line; the strides between lines are beyond the processor's own prefetcher.
#pragma GCC unroll 16
      for (int o = 0; o < kOutputs; ++o) __builtin_prefetch(b[o] + at + job.b_bin);
#pragma GCC unroll 2
      for (int64_t j = 0; j < kLanes; ++j, a += job.a_step) product_step<kLanes, false>(a, b, at + j, sum);
    }
    for (int64_t j = 0; j < job.last_inner; ++j, a += job.a_step)
      product_step<kLanes, false>(a, b, at + j, sum);
  }
#pragma GCC unroll 16
  for (int o = 0; o < kOutputs; ++o) {
    float* to = job.out + job.out_offsets[first + o] + bin * job.out_bin;
    store<kLanes>(sum[o], to, to + kLanes);
  }
}

template <int kLanes, bool kWgrad, int kOutputs>
CPM_INLINE void product_of(const FftProduct& job, int64_t first, int64_t bin, int64_t count) {
  if constexpr (kOutputs > 0) {
    if (count == kOutputs) {
      product_block<kLanes, kWgrad, kOutputs>(job, first, bin);
    } else {
      product_of<kLanes, kWgrad, kOutputs - 1>(job, first, bin, count);
    }
  }
}

/// Outputs in the fewest blocks of at most kOutputs, sizes differing by at most one.
template <int kLanes, bool kWgrad, int kOutputs>
void product(const FftProduct& job) {
  const int64_t blocks = (job.outputs + kOutputs - 1) / kOutputs;
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t first = block * job.outputs / blocks, end = (block + 1) * job.outputs / blocks;
    for (int64_t bin = 0; bin < job.bins; ++bin) {
      product_of<kLanes, kWgrad, kOutputs>(job, first, bin, end - first);
    }
  }
}

}  // namespace
}  // namespace kernels
