// What the rows share that compute by correlations at stride 1: fprop is one of x, dgrad one of dy.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/conv2d/problem.h"

namespace kernels {

constexpr int64_t ceil_div(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

/// dgrad as a correlation of dy with w turned by 180 degrees and its channels exchanged; its output is dx.
/// Pads may be negative.
ConvProblem dgrad_correlation(const ConvProblem& problem);

/// Why neither fprop nor dgrad is such a correlation with pads that are not negative; empty: both are.
std::string no_correlation_reason(const ConvProblem& problem);

}  // namespace kernels
