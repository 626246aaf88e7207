// The columns of filters' spectra. Few rows of a tile are not zero, so they are made from half-transformed
// rows when a product needs them, radix_b bins at a time, conjugate:
//   bin k1 + A k2 = DFT_B over n2 of the sum over r = n2 modulo B of row[r] root^(r k1).
#pragma once

#include "kernels/conv2d/cpu_fft_dft.h"

namespace kernels {
namespace {

/// root^(r k1) for r < R.
struct FilterRoots {
  float at[kFftMaxSize][2];

  FilterRoots(const float* roots, int64_t size, int64_t k1, int64_t R) {
    for (int64_t r = 0; r < R; ++r) {
      at[r][0] = roots[2 * (r * k1 % size)];
      at[r][1] = roots[2 * (r * k1 % size) + 1];
    }
  }
};

/// y[r modulo B] += row[r] root^(r k1), conjugate: real and imaginary parts exchanged.
template <int B, int kLanes>
void filter_bins(const FftFilterBins& job) {
  using Value = Complex<typename Simd<kLanes>::Vector>;
  constexpr int kLine = 2 * kLanes;
  const FilterRoots roots(job.roots, job.size, job.k1, job.R);
  const float* row = job.rows;
  float* to = job.bins;
  for (int64_t filter = 0; filter < job.filters; ++filter, to += kLine) {
    Value y[B] = {};
    for (int64_t first = 0; first < job.R; first += B) {
#pragma GCC unroll 9
      for (int i = 0; i < B; ++i) {
        const int64_t r = first + i;
        if (r >= job.R) break;
        const float* root = roots.at[r];
        y[i] = y[i] + times(load<kLanes>(row + kLanes, row), root[0], root[1]);
        row += kLine;
      }
    }
    Dft<B>::run(y);
#pragma GCC unroll 9
    for (int i = 0; i < B; ++i) {
      store<kLanes>(y[i], to + i * job.bin_stride + kLanes, to + i * job.bin_stride);
    }
  }
}

template <int B, int kLanes>
void filter_rows_back(const FftFilterRowsBack& job) {
  using Value = Complex<typename Simd<kLanes>::Vector>;
  constexpr int kLine = 2 * kLanes;
  const FilterRoots roots(job.roots, job.size, job.k1, job.R);
  const float* from = job.bins;
  float* row = job.rows;
  for (int64_t filter = 0; filter < job.filters; ++filter, from += kLine) {
    Value y[B];
#pragma GCC unroll 9
    for (int i = 0; i < B; ++i) {
      y[i] = load<kLanes>(from + i * job.bin_stride + kLanes, from + i * job.bin_stride);
    }
    Dft<B>::run(y);
    for (int64_t first = 0; first < job.R; first += B) {
#pragma GCC unroll 9
      for (int i = 0; i < B; ++i) {
        const int64_t r = first + i;
        if (r >= job.R) break;
        const float* root = roots.at[r];
        Value sum = times(y[i], root[0], root[1]);
        if (job.add) sum = sum + load<kLanes>(row + kLanes, row);
        store<kLanes>(sum, row + kLanes, row);
        row += kLine;
      }
    }
  }
}

}  // namespace
}  // namespace kernels
