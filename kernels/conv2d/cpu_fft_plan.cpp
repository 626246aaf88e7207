#include "kernels/conv2d/cpu_fft_plan.h"

#include <algorithm>

#include "kernels/conv2d/correlation.h"

namespace kernels {

namespace {

constexpr int64_t kGroupBytes = int64_t{160} << 20;  // spectra of the tiles of a group
constexpr double kFilterShare = 0.08;
constexpr int64_t kMinGroup = 8;

const FftKernels& pick_kernels(Isa isa) {
  if (isa >= Isa::Avx512 && fft_kernels_avx512() != nullptr) return *fft_kernels_avx512();
  if (isa >= Isa::Avx2 && fft_kernels_avx2() != nullptr) return *fft_kernels_avx2();
  return *fft_kernels_portable();
}

/// Processor cycles of one core, measured on one with 8 lanes: of a group of tiles, of a tile, of a call.
struct Cost {
  double group, tile, call;

  explicit Cost(const FftPlan& plan) {
    const double bins = static_cast<double>(plan.spectrum_columns() * plan.size->size);
    const double filters = static_cast<double>(plan.c.C * plan.y_blocks);
    const double blocks = static_cast<double>(plan.x_blocks + plan.y_blocks);
    const double ways = plan.task == FftTask::Backward ? 2 : 1;
    const double transforms = blocks + static_cast<double>(ways > 1 ? plan.y_blocks : 0);
    group = ways * bins * filters * 11.0;
    tile = bins * (ways * filters * 2.2 + transforms * 45.0);
    call = ways * filters * static_cast<double>((plan.c.R + 1) / 2 * plan.size->size) * 25.0 + 5e4;
  }
};

/// Tiles at a time: as many as make the filters' bins, which every group makes again, a small part of the
/// work, but no more than memory allows; groups of nearly the same size.
int64_t group_size(const FftPlan& plan, const Cost& cost) {
  const int64_t tile_bytes = plan.spectrum_columns() * plan.column() * (plan.x_blocks + plan.y_blocks) * 4;
  const auto enough = static_cast<int64_t>(cost.group / (kFilterShare * cost.tile)) + 1;
  const int64_t most = std::clamp(enough, std::min(kMinGroup, plan.tiles()), plan.tiles());
  const int64_t fitting = std::clamp<int64_t>(kGroupBytes / tile_bytes, 1, most);
  return ceil_div(plan.tiles(), ceil_div(plan.tiles(), fitting));
}

size_t book(FftPlan* plan, int64_t bytes) {
  const size_t at = plan->bytes;
  plan->bytes += static_cast<size_t>(ceil_div(bytes, 64) * 64);
  return at;
}

void lay_out(FftPlan* plan) {
  const int64_t tile_column = plan->group * plan->column() * 4;
  const int64_t filters = plan->spectrum_columns() * plan->filter_column() * 4;
  if (plan->correlates()) plan->filters = book(plan, filters);
  if (plan->has_gradient()) plan->gradient = book(plan, filters);
  plan->x = book(plan, plan->spectrum_columns() * tile_column * plan->x_blocks);
  plan->y = book(plan, plan->spectrum_columns() * tile_column * plan->y_blocks);
  plan->tables = book(plan, 2 * (plan->group + plan->c.C) * 8);
}

}  // namespace

FftAxis fft_axis(int64_t T, int64_t in, int64_t pad, int64_t kernel) {
  const int64_t out = in + 2 * pad - kernel + 1;
  if (in + pad <= T) return {1, out};
  const int64_t step = T - kernel + 1;
  if (step < 1) return {};
  return {ceil_div(out, step), step};
}

FftTask fft_task(Direction direction) {
  return direction == Direction::Fprop   ? FftTask::Fprop
         : direction == Direction::Dgrad ? FftTask::Dgrad
                                         : FftTask::Wgrad;
}

FftPlan make_fft_plan(Isa isa, const ConvProblem& problem, FftTask task) {
  FftPlan plan;
  plan.task = task;
  plan.c = plan.turned() ? dgrad_correlation(problem) : problem;
  plan.kernels = &pick_kernels(isa);
  plan.x_blocks = ceil_div(plan.c.C, plan.kernels->lanes);
  plan.y_blocks = ceil_div(plan.c.K, plan.kernels->lanes);
  FftPlan best = plan;
  for (int64_t i = 0; i < plan.kernels->size_count; ++i) {
    const FftSize& size = plan.kernels->sizes[i];
    plan.size = &size;
    plan.rows = fft_axis(size.size, plan.c.H, plan.c.pad_h, plan.c.R);
    plan.columns = fft_axis(size.size, plan.c.W, plan.c.pad_w, plan.c.S);
    if (plan.rows.count == 0 || plan.columns.count == 0) continue;
    if (std::max(plan.c.R, plan.c.S) > size.size) continue;
    const Cost cost(plan);
    plan.group = group_size(plan, cost);
    plan.cost = cost.call + cost.tile * static_cast<double>(plan.tiles()) +
                cost.group * static_cast<double>(ceil_div(plan.tiles(), plan.group));
    if (best.size == nullptr || plan.cost < best.cost) best = plan;
  }
  if (best.size != nullptr) lay_out(&best);
  return best;
}

double fft_flops(const FftPlan& plan) {
  const double bins = static_cast<double>(plan.spectrum_columns() * plan.size->size);
  return bins * static_cast<double>(plan.tiles() * plan.c.C * plan.y_blocks * plan.kernels->lanes) * 8.0;
}

}  // namespace kernels
