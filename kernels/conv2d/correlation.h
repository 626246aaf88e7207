// What the rows share that compute by correlations at stride 1: fprop is one of x, dgrad one of dy.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/base/exec.h"
#include "kernels/conv2d/cpu_direct.h"
#include "kernels/conv2d/problem.h"

namespace kernels {

constexpr int64_t ceil_div(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

/// `total` items in the fewest parts of at most `limit`, sizes differing by at most one.
struct Split {
  int64_t total, parts;

  static Split at_most(int64_t total, int64_t limit) { return {total, ceil_div(total, limit)}; }
  int64_t begin(int64_t part) const { return part * total / parts; }
  int64_t size(int64_t part) const { return begin(part + 1) - begin(part); }
};

/// dgrad as a correlation of dy with w turned by 180 degrees and its channels exchanged; its output is dx.
/// Pads may be negative.
ConvProblem dgrad_correlation(const ConvProblem& problem);

/// Why neither fprop nor dgrad is such a correlation with pads that are not negative; empty: both are.
std::string no_correlation_reason(const ConvProblem& problem);

/// The SIMD loops with the longest vectors of `isa`, unless shorter ones waste clearly less of the last of a
/// row of `columns`: processors that split long vectors in two, or those with fast short ones, lose nothing.
const DirectKernels& pick_direct_kernels(Isa isa, int64_t columns);

}  // namespace kernels
