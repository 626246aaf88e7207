// Convolution by tiles of Fourier transforms at stride 1, float (Mathieu, Henaff and LeCun 2013; overlapping
// tiles as in Zlateski et al. 2019). Jobs are run by the SIMD loops of cpu_fft_kernel.h:
//   fprop  spectra of tiles of x, times conjugate spectra of w, summed over C, back to y
//   dgrad  the same of dy with w turned by 180 degrees and channels exchanged
//   wgrad  spectra of tiles of x times conjugate spectra of the tiles' own outputs dy, summed over tiles,
//   back to dw
//   both   dgrad, and wgrad as the gradient of dgrad's filters: the spectra of dy serve twice
// Filters are kept half-transformed (rows only: R of T rows are other than zero), and each product's bins are
// made when they are needed, in cache. Tasks are cut by the problem alone; sums are taken in a fixed order.
#include "kernels/conv2d/cpu_fft.h"

#include <algorithm>
#include <limits>

#include "kernels/base/error.h"
#include "kernels/conv2d/correlation.h"
#include "kernels/conv2d/cpu_fft_steps.h"
#include "kernels/conv2d/rows.h"

namespace kernels {

namespace {

std::string supports(const Exec& exec, const ConvProblem& c, Direction direction) {
  if (const std::string reason = no_correlation_reason(c); !reason.empty()) return reason;
  if (make_fft_plan(exec.isa, c, fft_task(direction)).size == nullptr) {
    return fmt::format("a kernel of {}x{}, tiles are at most {} wide", c.R, c.S, kFftMaxSize);
  }
  return "";
}

size_t workspace(const Exec& exec, const ConvProblem& problem, Direction direction) {
  return make_fft_plan(exec.isa, problem, fft_task(direction)).bytes;
}

size_t backward_workspace(const Exec& exec, const ConvProblem& problem) {
  return make_fft_plan(exec.isa, problem, FftTask::Backward).bytes;
}

double executed_flops(const Exec& exec, const ConvProblem& problem, Direction direction) {
  return fft_flops(make_fft_plan(exec.isa, problem, fft_task(direction)));
}

std::string detail(const Exec& exec, const ConvProblem& problem, Direction direction) {
  const FftPlan plan = make_fft_plan(exec.isa, problem, fft_task(direction));
  return fmt::format("T{}, {}x{} tiles, {} at a time", plan.size->size, plan.rows.count, plan.columns.count,
                     plan.group);
}

/// The share of all outputs that the tap least covered sees: those that its shift leaves in the image.
double least_coverage(const ConvProblem& c) {
  const auto axis = [](int64_t in, int64_t pad, int64_t kernel, int64_t out) {
    const int64_t reach = std::max(pad, kernel - 1 - pad + out - in);
    return static_cast<double>(std::max<int64_t>(out - reach, 0)) / static_cast<double>(out);
  };
  return axis(c.H, c.pad_h, c.R, c.P()) * axis(c.W, c.pad_w, c.S, c.Q());
}

/// Rounding errors of a transform are those of its largest elements. Where some taps of dw sum far fewer
/// terms than others, theirs would drown, and Adam, which divides by each element's own size, would make
/// steps of them.
double cost(const Exec& exec, const ConvProblem& problem, Direction direction) {
  if (direction == Direction::Wgrad && least_coverage(problem) < 0.7) {
    return std::numeric_limits<double>::infinity();
  }
  return make_fft_plan(exec.isa, problem, fft_task(direction)).cost;
}

/// The steps of a plan, group of tiles by group of tiles.
void execute(const FftCall& call) {
  const FftPlan& plan = call.plan;
  fft_make_tables(call);
  if (plan.correlates()) fft_transform_filters(call);
  for (int64_t first = 0; first < plan.tiles(); first += plan.group) {
    const int64_t tiles = std::min(plan.group, plan.tiles() - first);
    fft_transform_in(call, first, tiles);
    if (plan.correlates()) fft_correlate(call, first, tiles);
    if (plan.has_gradient()) fft_gradient(call, first, tiles);
  }
  if (plan.has_gradient()) fft_store_gradient(call);
}

void run(const Exec& exec, const ConvProblem& problem, Direction direction, const ConvOperands<float>& t,
         GradMode mode) {
  if (direction != Direction::Fprop && mode == GradMode::Ignore) return;
  const FftPlan plan = make_fft_plan(exec.isa, problem, fft_task(direction));
  require_workspace(exec, plan.bytes, "cpu.fft", problem, direction);
  const bool accumulate = mode == GradMode::Accumulate;
  FftCall call{.plan = plan, .threads = *exec.threads, .scratch = static_cast<char*>(exec.workspace.data)};
  switch (direction) {
    case Direction::Fprop:
      call.in = t.x;
      call.w = t.w;
      call.b = t.b;
      call.out = t.y;
      call.relu = t.relu;
      break;
    case Direction::Dgrad:
      call.in = t.dy;
      call.w = t.w;
      call.out = t.dx;
      call.add = accumulate;
      break;
    case Direction::Wgrad:
      call.in = t.x;
      call.other = t.dy;
      call.dw = t.dw;
      call.add_dw = accumulate;
      break;
  }
  execute(call);
}

void backward(const Exec& exec, const ConvProblem& problem, const ConvOperands<float>& t, GradMode dx_mode,
              GradMode dw_mode) {
  const FftPlan plan = make_fft_plan(exec.isa, problem, FftTask::Backward);
  CPM_CHECK(exec.workspace.bytes >= plan.bytes, "cpu.fft got {} bytes of workspace, needs {} for backward {}",
            exec.workspace.bytes, plan.bytes, to_string(problem));
  execute({.plan = plan,
           .threads = *exec.threads,
           .scratch = static_cast<char*>(exec.workspace.data),
           .in = t.dy,
           .w = t.w,
           .out = t.dx,
           .other = t.x,
           .dw = t.dw,
           .add = dx_mode == GradMode::Accumulate,
           .add_dw = dw_mode == GradMode::Accumulate});
}

}  // namespace

ConvRow<float> cpu_fft_conv() {
  return {.name = "cpu.fft",
          .backend = Backend::Cpu,
          .supports = supports,
          .workspace = workspace,
          .run = run,
          .executed_flops = executed_flops,
          .cost = cost,
          .backward = backward,
          .backward_workspace = backward_workspace,
          .detail = detail};
}

}  // namespace kernels
