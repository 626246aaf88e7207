// A Gaussian is separable, exp(-(a + b)) = exp(-a) exp(-b): two short tables of exponentials per joint and
// one product per cell within reach of the cut-off. The cut-off holds for the sum a + b, so the shape is a
// disc. Within a map people add up in double before the clip. A task is a sample.
#include "kernels/targets/cpu.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace kernels::cpu {
namespace {

/// One axis of a Gaussian on a grid: cell i lies at `start + step * i`.
struct Axis {
  int64_t begin = 0;                     // first cell within reach
  std::vector<double> exponent, factor;  // of the cells from `begin`
};

struct Grid {
  double start, step;
  int64_t cells;
};

Axis make_axis(double at, double sigma, const Grid& grid) {
  const double reach = sigma * std::sqrt(2 * kTargetCutOff);
  const auto cells = static_cast<double>(grid.cells);
  const double low = std::clamp(std::floor((at - reach - grid.start) / grid.step), 0.0, cells);
  const double high = std::clamp(std::ceil((at + reach - grid.start) / grid.step) + 1, low, cells);
  Axis axis;
  axis.begin = static_cast<int64_t>(low);
  for (int64_t i = axis.begin; i < static_cast<int64_t>(high); ++i) {
    const double d = grid.start + grid.step * static_cast<double>(i) - at;
    axis.exponent.push_back(d * d / (2 * sigma * sigma));
    axis.factor.push_back(std::exp(-axis.exponent.back()));
  }
  return axis;
}

/// Calls add(cell, value) for the cells within the cut-off.
template <class Add>
void for_gaussian(const Axis& across, const Axis& down, int64_t cols, Add add) {
  for (size_t r = 0; r < down.factor.size(); ++r) {
    const int64_t row = (down.begin + static_cast<int64_t>(r)) * cols + across.begin;
    for (size_t c = 0; c < across.factor.size(); ++c) {
      if (across.exponent[c] + down.exponent[r] > kTargetCutOff) continue;
      add(static_cast<size_t>(row) + c, across.factor[c] * down.factor[r]);
    }
  }
}

/// maps [joints + 1, rows, cols] of the people at `person` [people, joints].
void draw_maps(const TargetsProblem& problem, const TargetJoint* person, int64_t people, float* maps) {
  const int64_t rows = problem.height / kTargetStride, cols = problem.width / kTargetStride;
  const auto cells = static_cast<size_t>(rows * cols);
  std::vector<double> sum(cells), most(cells, 0.0);
  const double start = 0.5 * (kTargetStride - 1);  // 3.5: the middle of a cell's pixels
  for (int64_t j = 0; j < problem.joints; ++j) {
    std::fill(sum.begin(), sum.end(), 0.0);
    for (int64_t p = 0; p < people; ++p) {
      const TargetJoint& joint = person[p * problem.joints + j];
      if (joint.labelled == 0) continue;
      const Axis across = make_axis(joint.x, kTargetSigma, {start, kTargetStride, cols});
      const Axis down = make_axis(joint.y, kTargetSigma, {start, kTargetStride, rows});
      for_gaussian(across, down, cols, [&](size_t cell, double value) { sum[cell] += value; });
    }
    float* map = maps + cells * static_cast<size_t>(j);
    for (size_t i = 0; i < cells; ++i) {
      const double value = std::min(sum[i], 1.0);
      most[i] = std::max(most[i], value);
      map[i] = static_cast<float>(value);
    }
  }
  float* background = maps + cells * static_cast<size_t>(problem.joints);
  for (size_t i = 0; i < cells; ++i) background[i] = static_cast<float>(std::max(0.0, 1.0 - most[i]));
}

void draw_center(const TargetsProblem& problem, const TargetPoint& at, float* center) {
  std::fill_n(center, problem.height * problem.width, 0.0f);
  const Axis across = make_axis(at.x, kCenterSigma, {0.0, 1.0, problem.width});
  const Axis down = make_axis(at.y, kCenterSigma, {0.0, 1.0, problem.height});
  for_gaussian(across, down, problem.width,
               [&](size_t cell, double value) { center[cell] = static_cast<float>(value); });
}

void draw_sample(const TargetsProblem& problem, const TargetsPeople& people, const TargetMaps& maps,
                 int64_t sample) {
  const int64_t pixels = problem.height * problem.width, k = problem.joints;
  const int64_t map_values = (k + 1) * (pixels / (kTargetStride * kTargetStride));
  if (maps.center != nullptr) draw_center(problem, people.centers[sample], maps.center + sample * pixels);
  if (people.first == nullptr) return;
  const int64_t first = people.first[sample], count = people.first[sample + 1] - first;
  const TargetJoint* person = people.joints + first * k;
  if (maps.stage1 != nullptr) draw_maps(problem, person, count, maps.stage1 + sample * map_values);
  if (maps.rest != nullptr) {
    draw_maps(problem, person, std::min(count, int64_t{1}), maps.rest + sample * map_values);
  }
  if (maps.mask != nullptr) {
    for (int64_t j = 0; j <= k; ++j) {
      const bool missing = j < k && (count == 0 || person[j].labelled == 0);
      maps.mask[sample * (k + 1) + j] = problem.mask_missing && missing ? 0.0f : 1.0f;
    }
  }
}

}  // namespace

void draw_targets(const Exec& exec, const TargetsProblem& problem, const TargetsPeople& people,
                  const TargetMaps& maps) {
  exec.threads->parallel_for(problem.n, [&](int64_t sample) { draw_sample(problem, people, maps, sample); });
}

}  // namespace kernels::cpu
