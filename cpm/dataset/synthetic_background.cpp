// What stands around the synthetic people: a wall and often a floor, coarse noise, then clutter. Some of it
// is made to mislead: capsules in the colours of skin and clothes, discs like heads, poles like legs.
#include <algorithm>
#include <numbers>

#include "cpm/dataset/synthetic.h"

namespace cpm {
namespace {

using engine::Random;

Rgb any_colour(Random* random) {
  const auto level = [&] { return static_cast<float>(random->uniform(25, 235)); };
  const float r = level(), g = level(), b = level();
  // Surroundings are duller than clothes: half-way to grey.
  const Rgb grey{(r + g + b) / 3, (r + g + b) / 3, (r + g + b) / 3};
  return mix({r, g, b}, grey, random->uniform(0.2, 0.8));
}

Spot any_spot(const Canvas& canvas, Random* random) {
  const double x = random->uniform(-0.1, 1.1) * canvas.width;
  return {x, random->uniform(-0.1, 1.1) * canvas.height};
}

void draw_wall(Canvas* canvas, Random* random) {
  const Rgb top = any_colour(random), bottom = mix(top, any_colour(random), 0.6);
  const Rgb floor_far = any_colour(random), floor_near = mix(floor_far, any_colour(random), 0.35);
  const bool has_floor = random->uniform() < 0.6;
  const double horizon = canvas->height * (has_floor ? random->uniform(0.45, 0.9) : 2.0);
  for (int y = 0; y < canvas->height; ++y) {
    const double v = y / static_cast<double>(canvas->height);
    const Rgb colour = y < horizon ? mix(top, bottom, v) : mix(floor_far, floor_near, v);
    for (int x = 0; x < canvas->width; ++x) canvas->at(x, y) = colour;
  }
}

/// Where an index lies on a lattice: the node before it, and how far behind it in cells.
struct OnLattice {
  OnLattice(int i, double cell)
      : node(static_cast<size_t>(i / cell)), rest(i / cell - static_cast<double>(node)) {}
  size_t node;
  double rest;
};

/// Adds smooth noise: random levels on a lattice, interpolated.
void add_texture(Canvas* canvas, double cell, double strength, Random* random) {
  const int cols = static_cast<int>(canvas->width / cell) + 2,
            rows = static_cast<int>(canvas->height / cell) + 2;
  std::vector<double> level(static_cast<size_t>(cols) * static_cast<size_t>(rows));
  for (double& value : level) value = strength * random->uniform(-1, 1);
  std::vector<OnLattice> across;
  for (int x = 0; x < canvas->width; ++x) across.emplace_back(x, cell);
  for (int y = 0; y < canvas->height; ++y) {
    const OnLattice down(y, cell);
    const double* above = &level[down.node * static_cast<size_t>(cols)];
    for (int x = 0; x < canvas->width; ++x) {
      const OnLattice& at = across[static_cast<size_t>(x)];
      const double *a = above + at.node, *b = a + cols;
      const double value =
          (1 - down.rest) * (a[0] + at.rest * (a[1] - a[0])) + down.rest * (b[0] + at.rest * (b[1] - b[0]));
      const auto v = static_cast<float>(value);
      canvas->at(x, y) = canvas->at(x, y) + Rgb{v, v, v};
    }
  }
}

void draw_block(Canvas* canvas, Random* random) {
  const Spot at = any_spot(*canvas, random);
  const double w = random->uniform(10, 70), h = random->uniform(10, 70), angle = random->uniform(-0.35, 0.35);
  const double c = std::cos(angle), s = std::sin(angle);
  Polygon block;
  for (const auto& [u, v] : {Spot{-w, -h}, Spot{w, -h}, Spot{w, h}, Spot{-w, h}}) {
    block.corners.push_back({at.x + 0.5 * (c * u - s * v), at.y + 0.5 * (s * u + c * v)});
  }
  const Rgb one = any_colour(random), two = mix(one, any_colour(random), 0.5);
  const double period = random->uniform() < 0.4 ? random->uniform(5, 14) : 1e6;
  const bool level = random->uniform() < 0.5;
  cover(
      canvas, block.box(), [&](double x, double y) { return block.distance(x, y); },
      [&](double x, double y, double) {
        const double v = level ? c * y - s * x : c * x + s * y;
        return std::fmod(v + 1e4, 2 * period) < period ? one : two;
      });
}

void draw_blob(Canvas* canvas, Random* random) {
  const Ellipse blob{any_spot(*canvas, random), random->uniform(5, 34), random->uniform(5, 34),
                     heading(random->uniform(0, std::numbers::pi))};
  const Rgb colour = random->uniform() < 0.25 ? skin_colour(random) : any_colour(random);
  cover(
      canvas, blob.box(), [&](double x, double y) { return blob.distance(x, y); },
      [&](double x, double y, double) {
        const Spot u = blob.unit(x, y);
        return colour * (1.05 - 0.3 * (u.x * u.x + u.y * u.y));
      });
}

void draw_bar(Canvas* canvas, const Light& light, Random* random) {
  const bool upright = random->uniform() < 0.65;
  const Spot from = any_spot(*canvas, random);
  const double long_way = 2.0 * (upright ? canvas->height : canvas->width),
               tilt = random->uniform(-0.08, 0.08);
  const double radius = random->uniform(1.5, 6);
  Capsule bar{from, from, radius, radius};
  (upright ? bar.a.y : bar.a.x) -= long_way;
  (upright ? bar.b.y : bar.b.x) += long_way;
  (upright ? bar.b.x : bar.b.y) += tilt * long_way;
  const Rgb colour = any_colour(random);
  draw_limb(canvas, bar, light, [&](double, double) { return colour; });
}

/// One or two capsules in the colours of people.
void draw_false_limb(Canvas* canvas, const Light& light, Random* random) {
  const Spot from = any_spot(*canvas, random);
  const double length = random->uniform(14, 44), radius = random->uniform(3, 8);
  const double angle = random->uniform(0, 2 * std::numbers::pi);
  const Spot to{from.x + length * std::cos(angle), from.y + length * std::sin(angle)};
  const Rgb upper = random->uniform() < 0.5 ? skin_colour(random) : cloth_colour(random);
  const Rgb lower = random->uniform() < 0.5 ? upper : skin_colour(random);
  draw_limb(canvas, {from, to, radius, 0.75 * radius}, light, [&](double, double) { return upper; });
  if (random->uniform() < 0.5) return;
  const double bend = angle + random->uniform(-1.5, 1.5);
  const Spot end{to.x + length * std::cos(bend), to.y + length * std::sin(bend)};
  draw_limb(canvas, {to, end, 0.75 * radius, 0.6 * radius}, light, [&](double, double) { return lower; });
}

}  // namespace

void draw_background(Canvas* canvas, Random* random) {
  draw_wall(canvas, random);
  add_texture(canvas, random->uniform(24, 60), random->uniform(4, 28), random);
  add_texture(canvas, random->uniform(4, 12), random->uniform(2, 14), random);
  const Light light;
  const uint32_t things = 1 + random->below(6);
  for (uint32_t i = 0; i < things; ++i) {
    const double kind = random->uniform();
    if (kind < 0.35)
      draw_block(canvas, random);
    else if (kind < 0.60)
      draw_blob(canvas, random);
    else if (kind < 0.80)
      draw_bar(canvas, light, random);
    else
      draw_false_limb(canvas, light, random);
  }
}

}  // namespace cpm
