#include "kernels/conv2d/correlation.h"

#include <fmt/format.h>

#include <algorithm>

namespace kernels {

ConvProblem dgrad_correlation(const ConvProblem& problem) {
  return {.N = problem.N,
          .C = problem.K,
          .H = problem.P(),
          .W = problem.Q(),
          .K = problem.C,
          .R = problem.R,
          .S = problem.S,
          .pad_h = problem.R - 1 - problem.pad_h,
          .pad_w = problem.S - 1 - problem.pad_w};
}

std::string no_correlation_reason(const ConvProblem& c) {
  if (std::min({c.N, c.C, c.K, c.P(), c.Q()}) < 1) return "an empty tensor";
  if (c.stride != 1) return fmt::format("stride {}, only stride 1 is done", c.stride);
  if (c.pad_h >= c.R || c.pad_w >= c.S) {
    return fmt::format("padding {}x{} is wider than the kernel less one", c.pad_h, c.pad_w);
  }
  return "";
}

const DirectKernels& pick_direct_kernels(Isa isa, int64_t columns) {
  const auto lanes_used = [&](const DirectKernels& k) { return ceil_div(columns, k.lanes) * k.lanes; };
  const DirectKernels* best = isa >= Isa::Avx2 ? direct_kernels_avx2() : nullptr;
  if (best == nullptr) return *direct_kernels_portable();
  const DirectKernels* longest = isa >= Isa::Avx512 ? direct_kernels_avx512() : nullptr;
  if (longest != nullptr && lanes_used(*longest) * 16 <= lanes_used(*best) * 17) best = longest;
  return *best;
}

}  // namespace kernels
