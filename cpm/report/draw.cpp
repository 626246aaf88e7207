// Shapes are signed distances (negative inside, pixels). A pixel whose centre is more than half a diagonal
// away from the edge is wholly in or out; on the edge, the part covered is counted on a 16 x 16 grid, whose
// points never lie on pixel borders: a line of width 3 on integers covers exactly three rows, and a disc's
// area is right to some parts in a thousand. Coverage times alpha is the weight of the colour; values are
// mixed as stored (sRGB). A polygon has no simple distance: it is cut into sixteen lines a pixel row, of
// which the covered lengths are exact.
#include "cpm/report/draw.h"

#include <algorithm>
#include <cmath>

#include "cpm/report/color_map.h"
#include "kernels/base/error.h"

namespace cpm {
namespace {

constexpr int kSub = 16;
constexpr double kHalfDiagonal = 0.7072;

struct Box {
  double left, top, right, bottom;
};

/// std::hypot minds overflow, which pixels do not, and takes five times as long.
double length(double dx, double dy) {
  return std::sqrt(dx * dx + dy * dy);
}

void blend(uint8_t* pixel, Color color, double weight) {
  for (int c = 0; c < 3; ++c) {
    pixel[c] = static_cast<uint8_t>(std::lround(pixel[c] * (1 - weight) + color[c] * weight));
  }
}

/// First pixel not before `edge`, within the image; in double, since edges may lie far outside any int.
int clip(double edge, int side) {
  return static_cast<int>(std::clamp(std::floor(edge), 0.0, 1.0 * side));
}

template <class Distance>
double coverage(double x, double y, const Distance& distance) {
  const double at_center = distance(x, y);
  if (at_center >= kHalfDiagonal) return 0;
  if (at_center <= -kHalfDiagonal) return 1;
  int inside = 0;
  for (int i = 0; i < kSub; ++i) {
    for (int j = 0; j < kSub; ++j) {
      inside += distance(x + (j + 0.5) / kSub - 0.5, y + (i + 0.5) / kSub - 0.5) <= 0;
    }
  }
  return inside / static_cast<double>(kSub * kSub);
}

/// Paints every pixel of the box that the shape covers. A shape that is not finite is not drawn.
template <class Distance>
void paint(Image* image, const Box& box, Color color, double alpha, const Distance& distance) {
  if (!std::isfinite(box.left + box.top + box.right + box.bottom) || !(alpha > 0)) return;
  alpha = std::min(alpha, 1.0);
  const int x0 = clip(box.left + 0.5, image->width), x1 = clip(box.right + 1.5, image->width);
  const int y0 = clip(box.top + 0.5, image->height), y1 = clip(box.bottom + 1.5, image->height);
  for (int y = y0; y < y1; ++y) {
    for (int x = x0; x < x1; ++x) {
      const double covered = coverage(x, y, distance);
      if (covered > 0) blend(image->at(x, y), color, covered * alpha);
    }
  }
}

/// Where the polygon's edges cross the height y, ascending.
std::vector<double> crossings(std::span<const Point> points, double y) {
  std::vector<double> found;
  for (size_t i = 0; i < points.size(); ++i) {
    const Point &a = points[i], &b = points[(i + 1) % points.size()];
    if ((a.y <= y) != (b.y <= y)) found.push_back(a.x + (y - a.y) / (b.y - a.y) * (b.x - a.x));
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// Adds `weight` times the part of each pixel of a row that lies within [from, to].
void add_span(std::vector<double>* row, double from, double to, double weight) {
  const int width = static_cast<int>(row->size());
  from = std::clamp(from + 0.5, 0.0, 1.0 * width);
  to = std::clamp(to + 0.5, 0.0, 1.0 * width);
  for (int x = static_cast<int>(from); x < to; ++x) {
    (*row)[x] += weight * (std::min(to, x + 1.0) - std::max(from, 1.0 * x));
  }
}

/// How one side of a resampling reads the other: output i is the sum of weight[k] * input[first + k].
struct Taps {
  int first = 0;
  std::vector<double> weight;
};

/// Enlarging: bilinear at (i + 0.5) from / to - 0.5, the border repeated. Shrinking: the mean over the output
/// pixel's footprint [i, i + 1) from / to, pixels on its ends counted by their part.
std::vector<Taps> resample_taps(int from, int to) {
  std::vector<Taps> taps(to);
  const double ratio = static_cast<double>(from) / to;
  for (int i = 0; i < to; ++i) {
    if (to >= from) {
      const double position = std::clamp((i + 0.5) * ratio - 0.5, 0.0, from - 1.0);
      const int first = std::max(0, std::min(static_cast<int>(position), from - 2));
      taps[i].first = first;
      if (from == 1) taps[i].weight = {1};
      if (from > 1) taps[i].weight = {1 - (position - first), position - first};
      continue;
    }
    const double begin = i * ratio, end = begin + ratio;
    taps[i].first = static_cast<int>(begin);
    for (int k = taps[i].first; k < from && k < end; ++k) {
      taps[i].weight.push_back((std::min(end, k + 1.0) - std::max(begin, 1.0 * k)) / ratio);
    }
  }
  return taps;
}

/// `from` is [rows, cols, channels] interleaved; the result [height, width, channels].
template <class T>
std::vector<float> resample(std::span<const T> from, int rows, int cols, int width, int height) {
  CPM_CHECK(rows > 0 && cols > 0 && width > 0 && height > 0, "resampling {}x{} to {}x{}", cols, rows, width,
            height);
  const int channels = static_cast<int>(from.size() / rows / cols);
  const std::vector<Taps> across = resample_taps(cols, width), down = resample_taps(rows, height);
  std::vector<float> wide(static_cast<size_t>(rows) * width * channels);
  for (int y = 0; y < rows; ++y) {
    for (int i = 0; i < width * channels; ++i) {
      const Taps& tap = across[i / channels];
      double sum = 0;
      for (size_t k = 0; k < tap.weight.size(); ++k) {
        sum +=
            tap.weight[k] * from[(static_cast<size_t>(y) * cols + tap.first + k) * channels + i % channels];
      }
      wide[static_cast<size_t>(y) * width * channels + i] = static_cast<float>(sum);
    }
  }
  const size_t row = static_cast<size_t>(width) * channels;
  std::vector<float> result(row * height);
  for (int y = 0; y < height; ++y) {
    for (size_t i = 0; i < row; ++i) {
      double sum = 0;
      for (size_t k = 0; k < down[y].weight.size(); ++k) {
        sum += down[y].weight[k] * wide[(down[y].first + k) * row + i];
      }
      result[y * row + i] = static_cast<float>(sum);
    }
  }
  return result;
}

uint8_t to_byte(double value) {
  return std::isnan(value) ? uint8_t{0} : static_cast<uint8_t>(std::lround(std::clamp(value, 0.0, 255.0)));
}

}  // namespace

void draw_line(Image* image, double x0, double y0, double x1, double y1, double width, Color color,
               double alpha) {
  const double half = width / 2, dx = x1 - x0, dy = y1 - y0, squared = dx * dx + dy * dy;
  const Box box{std::min(x0, x1) - half, std::min(y0, y1) - half, std::max(x0, x1) + half,
                std::max(y0, y1) + half};
  paint(image, box, color, alpha, [=](double x, double y) {
    const double along = squared > 0 ? ((x - x0) * dx + (y - y0) * dy) / squared : 0;
    const double t = std::clamp(along, 0.0, 1.0);
    return length(x - x0 - t * dx, y - y0 - t * dy) - half;
  });
}

void draw_disc(Image* image, double x, double y, double radius, Color color, double alpha) {
  paint(image, {x - radius, y - radius, x + radius, y + radius}, color, alpha,
        [=](double px, double py) { return length(px - x, py - y) - radius; });
}

void draw_ring(Image* image, double x, double y, double radius, double width, Color color, double alpha) {
  const double outer = radius + width / 2;
  paint(image, {x - outer, y - outer, x + outer, y + outer}, color, alpha,
        [=](double px, double py) { return std::abs(length(px - x, py - y) - radius) - width / 2; });
}

void draw_polygon(Image* image, std::span<const Point> points, Color color, double alpha) {
  double sum = 0, top = INFINITY, bottom = -INFINITY;
  for (const Point& point : points) {
    sum += point.x + point.y;
    top = std::min(top, point.y);
    bottom = std::max(bottom, point.y);
  }
  if (points.size() < 3 || !std::isfinite(sum) || !(alpha > 0)) return;
  std::vector<double> row(image->width);
  for (int y = clip(top + 0.5, image->height); y < clip(bottom + 1.5, image->height); ++y) {
    std::fill(row.begin(), row.end(), 0.0);
    for (int line = 0; line < kSub; ++line) {
      const std::vector<double> ends = crossings(points, y - 0.5 + (line + 0.5) / kSub);
      for (size_t i = 0; i + 1 < ends.size(); i += 2) add_span(&row, ends[i], ends[i + 1], 1.0 / kSub);
    }
    for (int x = 0; x < image->width; ++x) {
      if (row[x] > 0) blend(image->at(x, y), color, std::min(1.0, row[x]) * std::min(alpha, 1.0));
    }
  }
}

Image resize(const Image& image, int width, int height) {
  const std::vector<float> values =
      resample(std::span<const uint8_t>(image.rgb), image.height, image.width, width, height);
  Image result(width, height, Color{0, 0, 0});
  std::transform(values.begin(), values.end(), result.rgb.begin(), to_byte);
  return result;
}

Image overlay_belief(const Image& image, const std::vector<float>& map, int rows, int cols, double low,
                     double high) {
  CPM_CHECK(map.size() == static_cast<size_t>(rows) * cols, "a map of {} values, not {} x {}", map.size(),
            rows, cols);
  const std::vector<float> belief =
      resample(std::span<const float>(map), rows, cols, image.width, image.height);
  Image result = image;
  for (size_t i = 0; i < belief.size(); ++i) {
    uint8_t* pixel = result.rgb.data() + i * 3;
    const double grey = 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2];
    std::fill(pixel, pixel + 3, to_byte(grey));
    const double part = high > low ? (belief[i] - low) / (high - low) : (belief[i] >= high ? 1.0 : 0.0);
    const double t = part > 0 ? std::min(part, 1.0) : 0.0;
    // The picture shows through where there is little belief, and gives way to the colour where there is
    // much.
    blend(pixel, belief_color(t), 0.35 + 0.5 * t);
  }
  return result;
}

Image image_of_input(const float* planes, int width, int height) {
  Image image(width, height, Color{0, 0, 0});
  const size_t plane = static_cast<size_t>(width) * height;
  for (size_t i = 0; i < plane; ++i) {
    for (int c = 0; c < 3; ++c) image.rgb[i * 3 + c] = to_byte(planes[c * plane + i] * 256.0 + 128.0);
  }
  return image;
}

Image sheet(const std::vector<Image>& pictures, int columns, int gap, Color background) {
  if (pictures.empty()) return {};
  CPM_CHECK(columns > 0 && gap >= 0, "a sheet of {} columns, gap {}", columns, gap);
  const int count = static_cast<int>(pictures.size());
  columns = std::min(columns, count);
  const int rows = (count + columns - 1) / columns;
  int cell_width = 0, cell_height = 0;
  for (const Image& picture : pictures) {
    cell_width = std::max(cell_width, picture.width);
    cell_height = std::max(cell_height, picture.height);
  }
  Image result(columns * cell_width + (columns - 1) * gap, rows * cell_height + (rows - 1) * gap, background);
  for (int i = 0; i < count; ++i) {
    const Image& picture = pictures[i];
    const int left = (i % columns) * (cell_width + gap) + (cell_width - picture.width) / 2;
    const int top = (i / columns) * (cell_height + gap) + (cell_height - picture.height) / 2;
    for (int y = 0; y < picture.height && picture.width > 0; ++y) {
      std::copy_n(picture.at(0, y), picture.width * 3, result.at(left, top + y));
    }
  }
  return result;
}

}  // namespace cpm
