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

  /// Fills `to` with about normal numbers of standard deviation 1: four bytes summed.
  void fill(std::vector<float>* to) {
    bits_.resize(to->size());
    for (uint32_t& bits : bits_) bits = next();
    std::transform(bits_.begin(), bits_.end(), to->begin(), [](uint32_t bits) {
      const uint32_t pairs = (bits & 0x00FF00FF) + (bits >> 8 & 0x00FF00FF);
      const auto sum = static_cast<float>(static_cast<int32_t>((pairs + (pairs >> 16)) & 0xFFFF));
      return (sum - 510.0f) * (1.0f / 147.8f);
    });
  }

 private:
  uint32_t next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return static_cast<uint32_t>((state_ * 0x2545F4914F6CDD1DULL) >> 32);
  }

  uint64_t state_;
  std::vector<uint32_t> bits_;
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

/// One row of the camera's sensor, element 3 x + c of every array for pixel x and colour c: plain loops over
/// neighbours, which compilers make vectors of.
class SensorRow {
 public:
  SensorRow(int width, Rgb tint)
      : tint_(3 * static_cast<size_t>(width)), light_(tint_), noise_(4 * tint_.size() / 3) {
    for (size_t i = 0; i < tint_.size(); i += 3) {
      tint_[i] = tint.r;
      tint_[i + 1] = tint.g;
      tint_[i + 2] = tint.b;
    }
  }

  /// Takes a row of the canvas in light that falls off along x by fall_x a half pixel and by a share of the
  /// row's.
  void expose(const Rgb* from, double fall_x, double of_row) {
    const int width = static_cast<int>(tint_.size() / 3);
    for (int x = 0; x < width; ++x) {
      const auto fall = static_cast<float>(1 + fall_x * (2 * x - width) + of_row);
      const size_t i = 3 * static_cast<size_t>(x);
      light_[i] = from[x].r * tint_[i] * fall;
      light_[i + 1] = from[x].g * tint_[i + 1] * fall;
      light_[i + 2] = from[x].b * tint_[i + 2] * fall;
    }
  }

  /// Adds a speck to each pixel, and grain to each of its colours.
  void add_noise(float grain, PixelNoise* noise) {
    noise->fill(&noise_);
    const float of_colour = 0.4f * grain;
    const float* next = noise_.data();
    for (size_t i = 0; i < light_.size(); i += 3, next += 4) {
      const float speck = grain * next[0];
      for (size_t c = 0; c < 3; ++c) light_[i + c] = light_[i + c] + speck + of_colour * next[1 + c];
    }
  }

  void read(uint8_t* to) const {
    std::transform(light_.begin(), light_.end(), to, [](float v) {
      return static_cast<uint8_t>(static_cast<int32_t>(std::clamp(v, 0.0f, 255.0f) + 0.5f));
    });
  }

 private:
  std::vector<float> tint_, light_, noise_;
};

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
  SensorRow row(canvas->width, tint);
  for (int y = 0; y < canvas->height; ++y) {
    row.expose(&canvas->at(0, y), fall_x, fall_y * (2 * y - canvas->height));
    row.add_noise(grain, &noise);
    row.read(image.at(0, y));
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
