// Separable: each output pixel is four rows by four columns of cells; cell i lies at input pixel 8 i + 3.5.
#include "cpm/decode.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "cpm/dataset/targets.h"

namespace cpm {

namespace {

/// Four cells and their weights for one output coordinate; `inside` false where the view does not reach.
struct Taps {
  std::array<int, 4> cell{};
  std::array<float, 4> weight{};
  bool inside = true;
};

double keys(double t) {
  t = std::abs(t);
  if (t < 1) return (1.5 * t - 2.5) * t * t + 1;
  if (t < 2) return ((-0.5 * t + 2.5) * t - 4) * t + 2;
  return 0;
}

std::vector<Taps> taps_for(int size, double zoom, bool mirrored) {
  const int cells = size / kStride;
  const double middle = (size - 1) / 2.0;
  std::vector<Taps> taps(static_cast<size_t>(size));
  for (int u = 0; u < size; ++u) {
    Taps& t = taps[static_cast<size_t>(u)];
    const double offset = (u - middle) * zoom;
    const double seen = middle + (mirrored ? -offset : offset);
    t.inside = seen > -0.5 && seen < size - 0.5;
    const double cell = (seen - 3.5) / kStride;
    const int first = static_cast<int>(std::floor(cell)) - 1;
    for (int i = 0; i < 4; ++i) {
      t.cell[static_cast<size_t>(i)] = std::clamp(first + i, 0, cells - 1);
      t.weight[static_cast<size_t>(i)] = static_cast<float>(keys(cell - (first + i)));
    }
  }
  return taps;
}

void enlarge(const float* map, int cols, const std::vector<Taps>& rows_taps,
             const std::vector<Taps>& cols_taps, float* sum) {
  const size_t width = cols_taps.size();
  std::vector<float> line(static_cast<size_t>(cols));
  for (size_t v = 0; v < rows_taps.size(); ++v) {
    const Taps& r = rows_taps[v];
    if (!r.inside) continue;
    for (int c = 0; c < cols; ++c) {
      float value = 0;
      for (size_t i = 0; i < 4; ++i) value += r.weight[i] * map[r.cell[i] * cols + c];
      line[static_cast<size_t>(c)] = value;
    }
    for (size_t u = 0; u < width; ++u) {
      const Taps& t = cols_taps[u];
      if (!t.inside) continue;
      float value = 0;
      for (size_t i = 0; i < 4; ++i) value += t.weight[i] * line[static_cast<size_t>(t.cell[i])];
      sum[v * width + u] += value;
    }
  }
}

}  // namespace

FullMaps::FullMaps(int joints, int height, int width)
    : joints_(joints),
      height_(height),
      width_(width),
      sum_(static_cast<size_t>(joints) * static_cast<size_t>(height) * static_cast<size_t>(width)) {}

void FullMaps::add(const float* maps, double zoom, bool flipped, const JointSchema& schema) {
  const int rows = height_ / kStride, cols = width_ / kStride;
  const std::vector<Taps> rows_taps = taps_for(height_, zoom, false);
  const std::vector<Taps> cols_taps = taps_for(width_, zoom, flipped);
  std::vector<int> source(static_cast<size_t>(joints_));
  for (int j = 0; j < joints_; ++j) source[static_cast<size_t>(j)] = j;
  if (flipped) {
    for (const auto& [a, b] : schema.flip_pairs)
      std::swap(source[static_cast<size_t>(a)], source[static_cast<size_t>(b)]);
  }
  for (int j = 0; j < joints_; ++j) {
    enlarge(maps + static_cast<ptrdiff_t>(source[static_cast<size_t>(j)]) * rows * cols, cols, rows_taps,
            cols_taps, sum_.data() + static_cast<ptrdiff_t>(j) * height_ * width_);
  }
  ++added_;
}

double FullMaps::at(int joint, int u, int v) const {
  const ptrdiff_t index = (static_cast<ptrdiff_t>(joint) * height_ + v) * width_ + u;
  return static_cast<double>(sum_[static_cast<size_t>(index)]) / std::max(1, added_);
}

std::vector<Joint> FullMaps::joints(std::vector<double>* scores) const {
  std::vector<Joint> result;
  scores->clear();
  const ptrdiff_t pixels = static_cast<ptrdiff_t>(height_) * width_;
  for (int j = 0; j < joints_; ++j) {
    const auto first = sum_.begin() + j * pixels;
    const auto best = static_cast<int>(std::max_element(first, first + pixels) - first);
    result.push_back(
        {.x = static_cast<double>(best % width_), .y = static_cast<double>(best / width_), .labelled = true});
    scores->push_back(at(j, best % width_, best / width_));
  }
  return result;
}

}  // namespace cpm
