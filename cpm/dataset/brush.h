// Painting shapes with smooth edges on a picture of floats: what the synthetic people and their surroundings
// are drawn with. Every shape is a signed distance (negative inside, pixels); a pixel takes clamp(0.5 -
// distance, 0, 1) of the new colour. Colours are 0 ... 255 and get clipped once, at the end. Private to
// cpm/dataset.
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

}  // namespace cpm
