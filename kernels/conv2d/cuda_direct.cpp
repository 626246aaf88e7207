// Direct convolution on CUDA, float, stride 1, odd kernels 3 to 11 wide: plans and the row.
#include "kernels/conv2d/cuda_direct.h"

#include <algorithm>

#include "kernels/base/error.h"
#include "kernels/conv2d/cuda_rows.h"

namespace kernels {

namespace cuda {

size_t Correlation::workspace_bytes() const {
  const int64_t packed = ceil_div(packed_floats(), 16) * 16;
  return sizeof(float) * static_cast<size_t>(packed + (parts > 1 ? parts * out_floats() : 0));
}

/// Every block does the same work: the tiles that need the fewest, of equal ones those that reuse weights and
/// input most; and as many parts as make a full grid, of at least two channels each.
Correlation plan_correlation(const ConvProblem& problem, Direction direction) {
  const auto size = [](int64_t value) { return static_cast<int>(value); };
  const bool turned = direction == Direction::Dgrad;
  Correlation plan{.C = size(turned ? problem.K : problem.C),
                   .H = size(turned ? problem.P() : problem.H),
                   .W = size(turned ? problem.Q() : problem.W),
                   .K = size(turned ? problem.C : problem.K),
                   .P = size(turned ? problem.H : problem.P()),
                   .Q = size(turned ? problem.W : problem.Q()),
                   .R = size(problem.R),
                   .S = size(problem.S),
                   .pad_h = size(turned ? problem.R - 1 - problem.pad_h : problem.pad_h),
                   .pad_w = size(turned ? problem.S - 1 - problem.pad_w : problem.pad_w),
                   .N = problem.N};
  for (const int k_warps : {8, 4, 2, 1}) {
    for (const int tile_cols : {32, 16}) {
      Correlation other = plan;
      other.k_warps = k_warps;
      other.tile_cols = tile_cols;
      if (other.blocks() < plan.blocks()) plan = other;
    }
  }
  plan.parts = size(std::clamp<int64_t>(kFullGrid / plan.blocks(), 1, std::max(1, plan.C / 2)));
  return plan;
}

}  // namespace cuda

namespace {

std::string supports(const Exec&, const ConvProblem& c, Direction direction) {
  if (std::min({c.N, c.C, c.K, c.P(), c.Q()}) < 1) return "an empty tensor";
  if (c.stride != 1) return fmt::format("stride {}, only stride 1 is done", c.stride);
  if (c.S % 2 == 0 || c.S < 3 || c.S > 11 || c.R > 11) {
    return fmt::format("a {}x{} kernel, only odd widths from 3 to 11 and heights up to 11 are done", c.R,
                       c.S);
  }
  if (direction == Direction::Wgrad) return "wgrad, only fprop and dgrad are done";
  return "";
}

size_t workspace(const Exec&, const ConvProblem& problem, Direction direction) {
  return cuda::plan_correlation(problem, direction).workspace_bytes();
}

void run(const Exec& exec, const ConvProblem& problem, Direction direction, const ConvOperands<float>& t,
         GradMode mode) {
  const bool fprop = direction == Direction::Fprop;
  if (!fprop && mode == GradMode::Ignore) return;
  const size_t bytes = workspace(exec, problem, direction);
  CPM_CHECK(exec.workspace.bytes >= bytes, "cuda.direct got {} bytes of workspace, needs {} for {} {}",
            exec.workspace.bytes, bytes, direction_name(direction), to_string(problem));
  const bool add = mode == GradMode::Accumulate;
  const cuda::Correlation plan = cuda::plan_correlation(problem, direction);
  if (fprop) {
    correlate(exec, plan,
              {.in = t.x, .w = t.w, .bias = t.b, .out = t.y, .turned = false, .add = false, .relu = t.relu});
  } else {
    correlate(
        exec, plan,
        {.in = t.dy, .w = t.w, .bias = nullptr, .out = t.dx, .turned = true, .add = add, .relu = false});
  }
}

}  // namespace

ConvRow<float> cuda_direct_conv() {
  return {.name = "cuda.direct",
          .backend = Backend::Cuda,
          .supports = supports,
          .workspace = workspace,
          .run = run};
}

}  // namespace kernels
