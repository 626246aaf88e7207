// The shapes that synthetic pictures are made of, as signed distances for cover() of brush.h. Private to
// cpm/dataset.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "cpm/dataset/brush.h"

namespace cpm {

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
