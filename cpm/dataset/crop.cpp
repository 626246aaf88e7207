#include <algorithm>
#include <cmath>
#include <vector>

#include "cpm/dataset/image.h"
#include "kernels/base/error.h"

// Resampling is separable: one weight list per output column and row. The filter is the triangle of bilinear
// interpolation, and where the crop shrinks by s < 1, that triangle averaged over a box of sqrt(1/s^2 - 1)
// image pixels. The box is chosen so that the spread (variance (1/s^2 + 1) / 12) is that of averaging over
// areas of 1/s pixels; unlike area averaging, it keeps linear ramps exact at every s, and it passes into
// bilinear at s = 1. Rows are combined first, on the image's own bytes: one row of floats is all the memory
// it takes.

namespace cpm {
namespace {

/// Integral of the triangle max(0, 1 - |t|) from -infinity to t.
double triangle_integral(double t) {
  if (t <= -1) return 0;
  if (t >= 1) return 1;
  return t < 0 ? 0.5 * (1 + t) * (1 + t) : 1 - 0.5 * (1 - t) * (1 - t);
}

/// For each output index, the image pixels [first, first + count) it is made of; weights lie from `begin` on.
/// What would come from outside the image is left out, as it is 0 after the subtraction of 128.
struct Axis {
  struct Taps {
    int first = 0, count = 0;
    size_t begin = 0;
  };
  std::vector<Taps> taps;
  std::vector<float> weights;
  int lowest = 0, highest = 0;  // all pixels used lie in [lowest, highest)
};

template <class Center>
Axis make_axis(int outputs, int pixels, double scale, const Center& center_of) {
  constexpr double kThinnestBox = 1e-4;  // below, the quotient of differences would lose its digits
  const double box = scale < 1 ? std::sqrt(1 / (scale * scale) - 1) : 0;
  const double radius = 1 + box / 2;
  Axis axis;
  axis.lowest = pixels;
  for (int i = 0; i < outputs; ++i) {
    const double center = center_of(i);
    const double limit = pixels;  // clamped before conversion: a crop may lie anywhere
    const int first = static_cast<int>(std::clamp(std::ceil(center - radius), 0.0, limit));
    const int last = static_cast<int>(std::clamp(std::floor(center + radius) + 1, 0.0, limit));
    axis.taps.push_back({first, std::max(last - first, 0), axis.weights.size()});
    for (int p = first; p < last; ++p) {
      const double t = center - p;
      const double weight = box < kThinnestBox
                                ? std::max(0.0, 1 - std::abs(t))
                                : (triangle_integral(t + box / 2) - triangle_integral(t - box / 2)) / box;
      axis.weights.push_back(static_cast<float>(weight));
    }
    if (last > first) {
      axis.lowest = std::min(axis.lowest, first);
      axis.highest = std::max(axis.highest, last);
    }
  }
  axis.lowest = std::min(axis.lowest, axis.highest);
  return axis;
}

}  // namespace

void Crop::to_input(double x, double y, double* u, double* v) const {
  *u = (x - left + 0.5) * scale - 0.5;
  *v = (y - top + 0.5) * scale - 0.5;
  if (flip) *u = width - 1 - *u;
}

void Crop::to_image(double u, double v, double* x, double* y) const {
  if (flip) u = width - 1 - u;
  *x = (u + 0.5) / scale - 0.5 + left;
  *y = (v + 0.5) / scale - 0.5 + top;
}

void sample_crop(const Image& image, const Crop& crop, float* out) {
  CPM_CHECK(crop.width >= 1 && crop.height >= 1 && crop.scale > 0 && std::isfinite(crop.scale) &&
                std::isfinite(crop.left) && std::isfinite(crop.top),
            "a crop of {} x {} at scale {}, ({}, {})", crop.width, crop.height, crop.scale, crop.left,
            crop.top);
  double unused = 0;
  const Axis columns = make_axis(crop.width, image.width, crop.scale, [&](int u) {
    double x = 0;
    crop.to_image(u, 0, &x, &unused);
    return x;
  });
  const Axis rows = make_axis(crop.height, image.height, crop.scale, [&](int v) {
    double y = 0;
    crop.to_image(0, v, &unused, &y);
    return y;
  });

  const int used = (columns.highest - columns.lowest) * 3;
  std::vector<float> row(static_cast<size_t>(used));
  const size_t plane = static_cast<size_t>(crop.width) * static_cast<size_t>(crop.height);
  for (int v = 0; v < crop.height; ++v) {
    const Axis::Taps& vertical = rows.taps[static_cast<size_t>(v)];
    std::fill(row.begin(), row.end(), 0.0f);
    for (int t = 0; t < vertical.count && used > 0; ++t) {
      const float weight = rows.weights[vertical.begin + static_cast<size_t>(t)] / 256;
      const uint8_t* pixels = image.at(columns.lowest, vertical.first + t);
      for (int i = 0; i < used; ++i)
        row[static_cast<size_t>(i)] += weight * static_cast<float>(pixels[i] - 128);
    }
    float* red = out + static_cast<size_t>(v) * static_cast<size_t>(crop.width);
    for (int u = 0; u < crop.width; ++u) {
      const Axis::Taps& horizontal = columns.taps[static_cast<size_t>(u)];
      float sum[3] = {0, 0, 0};
      for (int t = 0; t < horizontal.count; ++t) {
        const float weight = columns.weights[horizontal.begin + static_cast<size_t>(t)];
        const float* pixel = &row[static_cast<size_t>(horizontal.first - columns.lowest + t) * 3];
        for (int c = 0; c < 3; ++c) sum[c] += weight * pixel[c];
      }
      for (size_t c = 0; c < 3; ++c) red[c * plane + static_cast<size_t>(u)] = sum[c];
    }
  }
}

}  // namespace cpm
