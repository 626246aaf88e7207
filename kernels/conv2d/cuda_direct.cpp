// Direct convolution on CUDA, float, stride 1, odd kernels 3 to 11 wide: plans and the row.
#include "kernels/conv2d/cuda_direct.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/conv2d/cuda_rows.h"

namespace kernels {

namespace cuda {

size_t Correlation::workspace_bytes() const {
  const int64_t packed = ceil_div(packed_floats(), 16) * 16;
  return sizeof(float) * static_cast<size_t>(packed + (parts > 1 ? parts * out_floats() : 0));
}

/// Two tiles and two rows of weights; or, at the end, a channel of every warp.
size_t Correlation::shared_bytes() const {
  return sizeof(float) * static_cast<size_t>(std::max(2 * (stage_floats() + S * tile_k()), 8 * kStoreFloats));
}

/// Every block does the same work: the tiles that need the fewest, of equal ones those that reuse weights and
/// input most; and as many parts as make a full grid, of at least two channels each.
Correlation plan_correlation(const ConvProblem& problem, Direction direction) {
  const auto size = [](int64_t value) { return static_cast<int>(value); };
  const ConvProblem c = direction == Direction::Dgrad ? dgrad_correlation(problem) : problem;
  Correlation plan{.C = size(c.C),
                   .H = size(c.H),
                   .W = size(c.W),
                   .K = size(c.K),
                   .P = size(c.P()),
                   .Q = size(c.Q()),
                   .R = size(c.R),
                   .S = size(c.S),
                   .pad_h = size(c.pad_h),
                   .pad_w = size(c.pad_w),
                   .N = c.N};
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

size_t WeightGradient::workspace_bytes() const {
  return parts > 1 ? sizeof(float) * static_cast<size_t>(parts * problem.w_size()) : 0;
}

int WeightGradient::pitch() const {
  const auto window = static_cast<int>(ceil_div(4 + problem.S - 1, 4) * 4);
  return segment - 4 + window <= 36 ? 36 : 44;
}

int WeightGradient::plane() const {
  return static_cast<int>(problem.R + kRows - 1) * pitch() + 4 * (8 - pitch() / 4 % 8);
}

int WeightGradient::stage_floats() const {
  const int64_t rows = 32 * (8 / k_warps);  // of the kernels; they may begin amid a channel
  const auto channels = static_cast<int>(std::min(problem.C, 1 + ceil_div(rows - 1, problem.R)));
  return dy_floats() + channels * plane();
}

/// Two pieces; or, at the end, every warp's sums of one output channel.
size_t WeightGradient::shared_bytes() const {
  return sizeof(float) *
         static_cast<size_t>(std::max(2 * stage_floats(), 8 * 32 * static_cast<int>(problem.S)));
}

/// 32 output channels a block where 64 would waste more; the segments with the least work, where every one
/// costs that of some three columns more, of those that fit (kernels one row high take many channels); and as
/// many parts as make two full grids, of at least four pieces each.
WeightGradient plan_weight_gradient(const ConvProblem& problem) {
  WeightGradient plan{.problem = problem};
  if ((problem.K - 1) % 64 < 32) plan.k_warps = 4;
  const auto cost = [&](int segment) { return ceil_div(problem.Q(), segment) * (segment + 3); };
  plan.segment = 4;
  for (int segment = 8; segment <= 28; segment += 4) {
    WeightGradient other = plan;
    other.segment = segment;
    if (cost(segment) <= cost(plan.segment) && other.shared_bytes() <= kMostSharedBytes) plan = other;
  }
  plan.parts = static_cast<int>(
      std::clamp<int64_t>(2 * kFullGrid / plan.blocks(), 1, std::max<int64_t>(1, plan.pieces() / 4)));
  return plan;
}

}  // namespace cuda

namespace {

std::string supports(const Exec&, const ConvProblem& c, Direction) {
  if (std::min({c.N, c.C, c.K, c.P(), c.Q()}) < 1) return "an empty tensor";
  if (c.stride != 1) return fmt::format("stride {}, only stride 1 is done", c.stride);
  if (c.S % 2 == 0 || c.S < 3 || c.S > 11 || c.R > 11) {
    return fmt::format("a {}x{} kernel, only odd widths from 3 to 11 and heights up to 11 are done", c.R,
                       c.S);
  }
  return "";
}

size_t workspace(const Exec&, const ConvProblem& problem, Direction direction) {
  return direction == Direction::Wgrad ? cuda::plan_weight_gradient(problem).workspace_bytes()
                                       : cuda::plan_correlation(problem, direction).workspace_bytes();
}

void run(const Exec& exec, const ConvProblem& problem, Direction direction, const ConvOperands<float>& t,
         GradMode mode) {
  const bool fprop = direction == Direction::Fprop;
  if (!fprop && mode == GradMode::Ignore) return;
  require_workspace(exec, workspace(exec, problem, direction), "cuda.direct", problem, direction);
  const bool add = mode == GradMode::Accumulate;
  if (direction == Direction::Wgrad) {
    weight_gradient(exec, cuda::plan_weight_gradient(problem), t.x, t.dy, t.dw, add);
    return;
  }
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
