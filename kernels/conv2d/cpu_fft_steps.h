// The steps of a call of cpu.fft, each a parallel loop over jobs that the plan alone has cut.
#pragma once

#include "kernels/base/parallel.h"
#include "kernels/conv2d/cpu_fft_plan.h"

namespace kernels {

/// One call: the plan with its pointers, in the terms of its correlation.
struct FftCall {
  const FftPlan& plan;
  ThreadPool& threads;
  char* scratch;
  const float* in = nullptr;  // images that are correlated: x; dgrad and Backward: dy
  const float* w = nullptr;   // [K, C, R, S] of the problem
  const float* b = nullptr;   // [c.K] or null
  float* out = nullptr;       // what correlate makes: y or dx
  const float* other =
      nullptr;          // images as large as `out` that the gradient correlates with `in`: dy; Backward: x
  float* dw = nullptr;  // [K, C, R, S] of the problem
  bool add = false, add_dw = false;
  bool relu = false;

  float* at(size_t offset) const { return reinterpret_cast<float*>(scratch + offset); }
};

/// Fills the tables of the plan; before all other steps.
void fft_make_tables(const FftCall& call);
/// w's half-transformed rows.
void fft_transform_filters(const FftCall& call);
/// Spectra of `in` under tiles [first, first + tiles).
void fft_transform_in(const FftCall& call, int64_t first, int64_t tiles);
/// Products over c.C, and those tiles of `out`. Leaves the spectra of `in` as they are.
void fft_correlate(const FftCall& call, int64_t first, int64_t tiles);
/// Spectra of those tiles of `other`, and what they and those of `in` add to dw's rows.
void fft_gradient(const FftCall& call, int64_t first, int64_t tiles);
/// dw from its rows; after all tiles.
void fft_store_gradient(const FftCall& call);

}  // namespace kernels
