// The people that the program draws itself: three steps, each a pure function of the record's number.
//   pose -> where everybody stands in the image (synthetic_pose.cpp, synthetic.cpp)
//   surroundings (synthetic_background.cpp), then people, light and noise (synthetic_draw.cpp)
// Space: x right and y down in image pixels, z towards the viewer; parallel projection. Private to
// cpm/dataset.
#pragma once

#include <array>
#include <cmath>
#include <vector>

#include "cpm/dataset/shapes.h"
#include "engine/runtime/random.h"

namespace cpm {

struct Vec {
  double x = 0, y = 0, z = 0;
};

inline Vec operator+(Vec a, Vec b) {
  return {a.x + b.x, a.y + b.y, a.z + b.z};
}
inline Vec operator-(Vec a, Vec b) {
  return {a.x - b.x, a.y - b.y, a.z - b.z};
}
inline Vec operator*(Vec a, double k) {
  return {a.x * k, a.y * k, a.z * k};
}
inline double dot(Vec a, Vec b) {
  return a.x * b.x + a.y * b.y + a.z * b.z;
}
inline Vec unit(Vec a) {
  return a * (1 / std::sqrt(dot(a, a) + 1e-18));
}
inline Spot flat(Vec a) {
  return {a.x, a.y};
}

/// A body part's own directions: the person's left, up and front, unit vectors.
struct Frame {
  Vec left{1, 0, 0}, up{0, -1, 0}, front{0, 0, 1};
};

/// A posed body. Of pairs, entry 0 is the right one and entry 1 the left one.
struct Figure {
  std::array<Vec, 14> joints;  // LSP's order
  std::array<Vec, 2> hands, toes;
  Vec head;                // middle of the skull
  double head_radius = 0;  // half its height
  Frame chest, pelvis, skull;
  double height = 1;  // standing height in pixels
  double build = 1;   // thickness of the limbs: 1 average
};

struct Scene {
  int width = 0, height = 0;
  Figure person;
  std::vector<Figure> others;
  bool other_in_front = false;
};

/// A body of standing height 1 in a random pose, the pelvis at the origin.
Figure make_figure(engine::Random* random);

/// The figure with every point p at p * scale + (x, y).
Figure place_figure(const Figure& figure, double scale, double x, double y);

/// Walls, ground, clutter and things that look like limbs but are none.
void draw_background(Canvas* canvas, engine::Random* random);

/// Draws the scene; everything but poses and places comes from the two streams.
Image draw_scene(const Scene& scene, engine::Random* surroundings, engine::Random* looks);

/// Colours of skin, and any colour of clothes.
Rgb skin_colour(engine::Random* random);
Rgb cloth_colour(engine::Random* random);

/// One far light and the rest from everywhere.
struct Light {
  Vec direction{-0.4, -0.6, 0.7};
  double ambient = 0.6, diffuse = 0.5;

  /// Brightness of a surface with unit normal `n`.
  double shade(Vec n) const { return ambient + diffuse * std::max(0.0, dot(n, direction)); }
};

/// One person, in looks drawn from `random`.
void draw_person(Canvas* canvas, const Light& light, const Figure& figure, engine::Random* random);

/// A capsule as a lit cylinder; `paint(along, across)` gives its colour.
template <class Paint>
void draw_limb(Canvas* canvas, const Capsule& limb, const Light& light, Paint paint) {
  const double dx = limb.b.x - limb.a.x, dy = limb.b.y - limb.a.y, length = std::hypot(dx, dy) + 1e-9;
  const Vec side{-dy / length, dx / length, 0};
  cover(
      canvas, limb.box(), [&](double x, double y) { return limb.place(x, y).distance; },
      [&](double x, double y, double d) {
        const Capsule::Place at = limb.place(x, y);
        const double across = std::clamp(at.across, -1.0, 1.0);
        const Vec normal = side * across + Vec{0, 0, std::sqrt(1 - across * across)};
        const double edge =
            d > -1.2 ? 0.78 : 1.0;  // a thin dark outline sets limbs off from what lies behind
        return paint(at.along, at.across) * (light.shade(normal) * edge);
      });
}

}  // namespace cpm
