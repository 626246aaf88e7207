// Shapes with smooth edges on a picture of floats: what the synthetic people and their surroundings are drawn
// with. Every shape is a signed distance (negative inside, pixels); a pixel takes clamp(0.5 - distance, 0, 1)
// of the new colour. Colours are 0 ... 255 and get clipped once, at the end. Private to cpm/dataset.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "cpm/dataset/image.h"

namespace cpm {

struct Rgb {
  float r = 0, g = 0, b = 0;
};

inline Rgb operator*(Rgb c, double k) {
  const auto f = static_cast<float>(k);
  return {c.r * f, c.g * f, c.b * f};
}
inline Rgb operator+(Rgb a, Rgb b) {
  return {a.r + b.r, a.g + b.g, a.b + b.b};
}
/// a for t = 0, b for t = 1.
inline Rgb mix(Rgb a, Rgb b, double t) {
  return a * (1 - t) + b * t;
}

struct Spot {
  double x = 0, y = 0;
};

struct Canvas {
  int width = 0, height = 0;
  std::vector<Rgb> pixels;

  Canvas(int w, int h) : width(w), height(h), pixels(static_cast<size_t>(w) * static_cast<size_t>(h)) {}
  Rgb& at(int x, int y) {
    return pixels[static_cast<size_t>(y) * static_cast<size_t>(width) + static_cast<size_t>(x)];
  }
};

/// Where a shape may cover pixels.
struct Box {
  double left, top, right, bottom;
};

/// Blends colour(x, y, d) over the pixels of `box`, where d = distance(x, y).
template <class Distance, class Colour>
void cover(Canvas* canvas, const Box& box, Distance distance, Colour colour) {
  const auto clip = [](double v, int most) {
    return static_cast<int>(std::clamp(v, 0.0, static_cast<double>(most)));
  };
  const int left = clip(std::floor(box.left) - 1, canvas->width), right = clip(box.right + 2, canvas->width);
  const int top = clip(std::floor(box.top) - 1, canvas->height),
            bottom = clip(box.bottom + 2, canvas->height);
  for (int y = top; y < bottom; ++y) {
    for (int x = left; x < right; ++x) {
      const double d = distance(static_cast<double>(x), static_cast<double>(y));
      if (d >= 0.5) continue;
      Rgb& pixel = canvas->at(x, y);
      const Rgb over = colour(static_cast<double>(x), static_cast<double>(y), d);
      pixel = d <= -0.5 ? over : mix(pixel, over, 0.5 - d);
    }
  }
}

/// A segment with a radius at each end.
struct Capsule {
  Spot a, b;
  double ra = 1, rb = 1;

  struct Place {
    double along;     // 0 at a, 1 at b
    double across;    // signed distance from the axis, over the radius there
    double distance;  // signed, from the outline
  };

  Place place(double x, double y) const {
    const double dx = b.x - a.x, dy = b.y - a.y, px = x - a.x, py = y - a.y;
    const double length2 = dx * dx + dy * dy + 1e-9;
    const double t = std::clamp((px * dx + py * dy) / length2, 0.0, 1.0);
    const double ox = px - t * dx, oy = py - t * dy, radius = ra + t * (rb - ra);
    const double side = (dx * py - dy * px) / std::sqrt(length2);
    return {t, side / radius, std::sqrt(ox * ox + oy * oy) - radius};
  }

  Box box() const {
    const double r = std::max(ra, rb);
    return {std::min(a.x, b.x) - r, std::min(a.y, b.y) - r, std::max(a.x, b.x) + r, std::max(a.y, b.y) + r};
  }
};

/// (cos angle, sin angle).
inline Spot heading(double angle) {
  return {std::cos(angle), std::sin(angle)};
}

/// Not std::hypot, which guards against overflow at ten times the time.
inline double length(double x, double y) {
  return std::sqrt(x * x + y * y);
}

/// An ellipse whose first half axis `rx` points along `axis`, of length 1.
struct Ellipse {
  Spot center;
  double rx = 1, ry = 1;
  Spot axis{1, 0};

  /// In units of the half axes: inside where the length is below 1.
  Spot unit(double x, double y) const {
    const double dx = x - center.x, dy = y - center.y;
    return {(axis.x * dx + axis.y * dy) / rx, (axis.x * dy - axis.y * dx) / ry};
  }

  /// First-order distance: value over gradient of the implicit form.
  double distance(double x, double y) const {
    const Spot u = unit(x, y);
    const double radius = length(u.x, u.y), slope = length(u.x / rx, u.y / ry);
    return slope < 1e-9 ? -std::min(rx, ry) : radius * (radius - 1) / slope;
  }

  Box box() const {
    const double r = std::max(rx, ry);
    return {center.x - r, center.y - r, center.x + r, center.y + r};
  }
};

/// A simple polygon, its outline moved outwards by `round`.
struct Polygon {
  std::vector<Spot> corners;
  double round = 0;

  double distance(double x, double y) const {
    double nearest = 1e18;
    bool inside = false;
    for (size_t i = 0, j = corners.size() - 1; i < corners.size(); j = i++) {
      const Spot a = corners[i], b = corners[j];
      const double ex = b.x - a.x, ey = b.y - a.y, wx = x - a.x, wy = y - a.y;
      const double t = std::clamp((wx * ex + wy * ey) / (ex * ex + ey * ey + 1e-9), 0.0, 1.0);
      const double ox = wx - t * ex, oy = wy - t * ey;
      nearest = std::min(nearest, ox * ox + oy * oy);
      if ((a.y > y) != (b.y > y) && x < ex * (y - a.y) / ey + a.x) inside = !inside;
    }
    return (inside ? -std::sqrt(nearest) : std::sqrt(nearest)) - round;
  }

  Box box() const {
    Box box{1e9, 1e9, -1e9, -1e9};
    for (const Spot& c : corners) {
      box = {std::min(box.left, c.x - round), std::min(box.top, c.y - round),
             std::max(box.right, c.x + round), std::max(box.bottom, c.y + round)};
    }
    return box;
  }
};

}  // namespace cpm
