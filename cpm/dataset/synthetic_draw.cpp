// Draws a scene: surroundings, people in their order, then what a camera does: exposure, tint, blur and
// noise.
#include <algorithm>

#include "cpm/dataset/synthetic.h"

namespace cpm {

using engine::Random;

namespace {

/// Fast, even noise for every pixel (xorshift64*): the counter-based stream gives the seed.
class PixelNoise {
 public:
  explicit PixelNoise(Random* random) : state_((uint64_t{random->bits()} << 32 | random->bits()) | 1) {}

  /// About normal, standard deviation 1: four bytes summed.
  float next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    const uint64_t bits = (state_ * 0x2545F4914F6CDD1DULL) >> 32;
    const auto sum =
        static_cast<float>((bits & 255) + (bits >> 8 & 255) + (bits >> 16 & 255) + (bits >> 24 & 255));
    return (sum - 510.0f) * (1.0f / 147.8f);
  }

 private:
  uint64_t state_;
};

/// A [1 2 1] blur in both directions, borders repeated.
void blur(Canvas* canvas) {
  const auto blurred = [](Rgb a, Rgb b, Rgb c) {
    return Rgb{0.25f * (a.r + 2 * b.r + c.r), 0.25f * (a.g + 2 * b.g + c.g), 0.25f * (a.b + 2 * b.b + c.b)};
  };
  Canvas across(canvas->width, canvas->height);
  for (int y = 0; y < canvas->height; ++y) {
    for (int x = 0; x < canvas->width; ++x) {
      const int left = std::max(x - 1, 0), right = std::min(x + 1, canvas->width - 1);
      across.at(x, y) = blurred(canvas->at(left, y), canvas->at(x, y), canvas->at(right, y));
    }
  }
  for (int y = 0; y < canvas->height; ++y) {
    const int above = std::max(y - 1, 0), below = std::min(y + 1, canvas->height - 1);
    for (int x = 0; x < canvas->width; ++x) {
      canvas->at(x, y) = blurred(across.at(x, above), across.at(x, y), across.at(x, below));
    }
  }
}

/// The camera: exposure, tint, light falling off to one side, blur, noise, then 8 bits.
Image develop(Canvas* canvas, Random* random) {
  if (random->uniform() < 0.35) blur(canvas);
  const double exposure = random->uniform(0.85, 1.18);
  const Rgb tint{static_cast<float>(exposure * random->uniform(0.93, 1.07)), static_cast<float>(exposure),
                 static_cast<float>(exposure * random->uniform(0.93, 1.07))};
  const double fall_x = random->uniform(-0.16, 0.16) / canvas->width;
  const double fall_y = random->uniform(-0.16, 0.16) / canvas->height;
  const auto grain = static_cast<float>(random->uniform(0, 6));
  PixelNoise noise(random);
  Image image(canvas->width, canvas->height, {0, 0, 0});
  const auto level = [](float v) { return static_cast<uint8_t>(std::clamp(v, 0.0f, 255.0f) + 0.5f); };
  for (int y = 0; y < canvas->height; ++y) {
    for (int x = 0; x < canvas->width; ++x) {
      const auto fall =
          static_cast<float>(1 + fall_x * (2 * x - canvas->width) + fall_y * (2 * y - canvas->height));
      const Rgb& from = canvas->at(x, y);
      uint8_t* to = image.at(x, y);
      const float speck = grain * noise.next();
      to[0] = level(from.r * tint.r * fall + speck + 0.4f * grain * noise.next());
      to[1] = level(from.g * tint.g * fall + speck + 0.4f * grain * noise.next());
      to[2] = level(from.b * tint.b * fall + speck + 0.4f * grain * noise.next());
    }
  }
  return image;
}

}  // namespace

Image draw_scene(const Scene& scene, Random* surroundings, Random* looks) {
  Canvas canvas(scene.width, scene.height);
  draw_background(&canvas, surroundings);
  Light light;
  light.direction = unit({looks->uniform(-0.8, 0.8), looks->uniform(-1, -0.2), 0.7});
  light.ambient = looks->uniform(0.5, 0.75);
  light.diffuse = 1.02 - light.ambient;
  if (scene.other_in_front) draw_person(&canvas, light, scene.person, looks);
  for (const Figure& other : scene.others) draw_person(&canvas, light, other, looks);
  if (!scene.other_in_front) draw_person(&canvas, light, scene.person, looks);
  return develop(&canvas, looks);
}

}  // namespace cpm
