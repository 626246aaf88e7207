// A Gaussian is separable, exp(-(a + b)) = exp(-a) exp(-b): two short tables of exponentials per joint and
// one product per cell within reach of the cut-off. The cut-off holds for the sum a + b, so the shape is a
// disc. Maps are overwritten; within a map people add up in double before the clip, in the order given.
#include "cpm/dataset/targets.h"

#include <algorithm>
#include <cmath>

#include "kernels/base/error.h"

namespace cpm {
namespace {

constexpr double kCutOff = 4.6052;  // exp(-4.6052) = 0.01

/// One axis of a Gaussian on a grid: cell i lies at `start + step * i`.
struct Axis {
  int begin = 0;                         // first cell within reach
  std::vector<double> exponent, factor;  // of the cells from `begin`
};

struct Grid {
  double start, step;
  int cells;
};

Axis make_axis(double at, double sigma, const Grid& grid) {
  const double reach = sigma * std::sqrt(2 * kCutOff);
  const double cells = grid.cells;
  const double low = std::clamp(std::floor((at - reach - grid.start) / grid.step), 0.0, cells);
  const double high = std::clamp(std::ceil((at + reach - grid.start) / grid.step) + 1, low, cells);
  Axis axis;
  axis.begin = static_cast<int>(low);
  for (int i = axis.begin; i < static_cast<int>(high); ++i) {
    const double d = grid.start + grid.step * i - at;
    axis.exponent.push_back(d * d / (2 * sigma * sigma));
    axis.factor.push_back(std::exp(-axis.exponent.back()));
  }
  return axis;
}

/// Calls add(cell, value) for the cells within the cut-off.
template <class Add>
void for_gaussian(const Axis& across, const Axis& down, int cols, Add add) {
  for (size_t r = 0; r < down.factor.size(); ++r) {
    const size_t row = (static_cast<size_t>(down.begin) + r) * cols + static_cast<size_t>(across.begin);
    for (size_t c = 0; c < across.factor.size(); ++c) {
      if (across.exponent[c] + down.exponent[r] > kCutOff) continue;
      add(row + c, across.factor[c] * down.factor[r]);
    }
  }
}

}  // namespace

void draw_targets(const std::vector<InputPerson>& people, int joints, int rows, int cols, float* maps) {
  const size_t cells = static_cast<size_t>(rows) * cols;
  std::vector<double> sum(cells), most(cells, 0.0);
  const double start = 0.5 * (kStride - 1);  // 3.5: the middle of a cell's pixels
  for (int j = 0; j < joints; ++j) {
    std::fill(sum.begin(), sum.end(), 0.0);
    for (const InputPerson& person : people) {
      CPM_CHECK(static_cast<int>(person.joints.size()) == joints, "{} joints of {}", person.joints.size(),
                joints);
      const Joint& joint = person.joints[static_cast<size_t>(j)];
      if (!joint.labelled) continue;
      const Axis across = make_axis(joint.x, kTargetSigma, {start, kStride, cols});
      const Axis down = make_axis(joint.y, kTargetSigma, {start, kStride, rows});
      for_gaussian(across, down, cols, [&](size_t cell, double value) { sum[cell] += value; });
    }
    float* map = maps + cells * static_cast<size_t>(j);
    for (size_t i = 0; i < cells; ++i) {
      const double value = std::min(sum[i], 1.0);
      most[i] = std::max(most[i], value);
      map[i] = static_cast<float>(value);
    }
  }
  float* background = maps + cells * static_cast<size_t>(joints);
  for (size_t i = 0; i < cells; ++i) background[i] = static_cast<float>(std::max(0.0, 1.0 - most[i]));
}

void draw_center(double x, double y, int height, int width, float* center) {
  std::fill(center, center + static_cast<size_t>(height) * width, 0.0f);
  const Axis across = make_axis(x, kCenterSigma, {0.0, 1.0, width});
  const Axis down = make_axis(y, kCenterSigma, {0.0, 1.0, height});
  for_gaussian(across, down, width,
               [&](size_t cell, double value) { center[cell] = static_cast<float>(value); });
}

double dead_plateau(const float* maps, int joints, int64_t cells, bool with_background) {
  const int64_t count = cells * (joints + (with_background ? 1 : 0));
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += static_cast<double>(maps[i]) * maps[i];
  return 0.5 * sum;
}

}  // namespace cpm
