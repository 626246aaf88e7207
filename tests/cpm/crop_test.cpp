// Crops: the map between image and input and its inverse, linear ramps that must come out exactly, the
// filters against direct integration, and what lies outside the image.
#include <algorithm>
#include <cmath>

#include "cpm/dataset/image.h"
#include "engine/runtime/random.h"
#include "kernels/base/error.h"
#include "tests/support/catch.h"

namespace {

using cpm::Crop;
using cpm::Image;

std::vector<float> sample(const Image& image, const Crop& crop) {
  std::vector<float> out(static_cast<size_t>(3 * crop.width * crop.height), 1e9f);
  cpm::sample_crop(image, crop, out.data());
  return out;
}

float at(const std::vector<float>& out, const Crop& crop, int c, int u, int v) {
  return out[static_cast<size_t>((c * crop.height + v) * crop.width + u)];
}

Image random_image(int width, int height) {
  engine::Random random(4, engine::RandomStream::Test, 0);
  Image image(width, height, {0, 0, 0});
  for (uint8_t& byte : image.rgb) byte = static_cast<uint8_t>(random.below(256));
  return image;
}

/// (value - 128) / 256 of the image at a real point: bilinear between pixel centres, 0 outside.
double bilinear(const Image& image, double x, double y, int c) {
  const int x0 = static_cast<int>(std::floor(x)), y0 = static_cast<int>(std::floor(y));
  double sum = 0;
  for (int j = 0; j < 2; ++j) {
    for (int i = 0; i < 2; ++i) {
      const int px = x0 + i, py = y0 + j;
      if (px < 0 || py < 0 || px >= image.width || py >= image.height) continue;
      sum += (1 - std::abs(x - px)) * (1 - std::abs(y - py)) * (image.at(px, py)[c] - 128.0) / 256;
    }
  }
  return sum;
}

}  // namespace

TEST_CASE("a crop's two maps are each other's inverse and follow the convention", "[crop]") {
  engine::Random random(5, engine::RandomStream::Test, 0);
  for (int i = 0; i < 1000; ++i) {
    const Crop crop{random.uniform(0.05, 8), random.uniform(-500, 500), random.uniform(-500, 500), 368, 184,
                    random.below(2) == 1};
    const double x = random.uniform(-1000, 1000), y = random.uniform(-1000, 1000);
    double u = 0, v = 0, back_x = 0, back_y = 0;
    crop.to_input(x, y, &u, &v);
    crop.to_image(u, v, &back_x, &back_y);
    REQUIRE(std::abs(back_x - x) < 1e-9);
    REQUIRE(std::abs(back_y - y) < 1e-9);
    REQUIRE(std::abs(v - ((y - crop.top + 0.5) * crop.scale - 0.5)) < 1e-9);
    const double straight = (x - crop.left + 0.5) * crop.scale - 0.5;
    REQUIRE(std::abs(u - (crop.flip ? 367 - straight : straight)) < 1e-9);
  }
  double u = 0, v = 0;
  Crop{2, 10, 20, 8, 8, false}.to_input(10, 20, &u, &v);  // the first image pixel covers inputs 0 and 1
  CHECK(u == 0.5);
  CHECK(v == 0.5);
  Crop{2, 10, 20, 8, 8, true}.to_input(10, 20, &u, &v);
  CHECK(u == 6.5);
}

TEST_CASE("scale 1 at whole pixels copies, mirrored where it flips", "[crop]") {
  const Image image = random_image(31, 17);
  for (const bool flip : {false, true}) {
    const Crop crop{1, 4, 3, 20, 11, flip};
    const std::vector<float> out = sample(image, crop);
    for (int c = 0; c < 3; ++c) {
      for (int v = 0; v < crop.height; ++v) {
        for (int u = 0; u < crop.width; ++u) {
          const int x = 4 + (flip ? crop.width - 1 - u : u);
          const float expected = static_cast<float>(image.at(x, 3 + v)[c] - 128) / 256;
          REQUIRE(at(out, crop, c, u, v) == expected);
        }
      }
    }
  }
}

TEST_CASE("linear ramps come out exactly at every scale", "[crop]") {
  Image image(250, 240, {0, 0, 0});
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      image.at(x, y)[0] = static_cast<uint8_t>(x);
      image.at(x, y)[1] = static_cast<uint8_t>(y);
      image.at(x, y)[2] = static_cast<uint8_t>(x / 2 + y / 2);
    }
  }
  for (const double scale : {0.07, 0.2371, 0.31, 0.5, 0.73, 0.9, 0.9999999, 1.0, 1.37, 2.0, 3.3}) {
    for (const bool flip : {false, true}) {
      CAPTURE(scale);
      CAPTURE(flip);
      const Crop crop{scale, 3.3, -2.7, 80, 60, flip};
      const std::vector<float> out = sample(image, crop);
      const double margin = 1 + (scale < 1 ? 1 / scale : 0);
      int interior = 0;
      double worst = 0;
      for (int v = 0; v < crop.height; ++v) {
        for (int u = 0; u < crop.width; ++u) {
          double x = 0, y = 0;
          crop.to_image(u, v, &x, &y);
          if (x < margin || y < margin || x > 249 - margin || y > 239 - margin) continue;
          ++interior;
          worst = std::max({worst, std::abs(at(out, crop, 0, u, v) - (x - 128) / 256),
                            std::abs(at(out, crop, 1, u, v) - (y - 128) / 256)});
        }
      }
      CHECK(interior > 50);
      CHECK(worst < 1e-6 * 0.5);  // of the range's half
    }
  }
}

TEST_CASE("enlarging is bilinear, with nothing outside", "[crop]") {
  const Image image = random_image(12, 9);
  for (const double scale : {1.0, 1.5, 2.71}) {
    for (const bool flip : {false, true}) {
      const Crop crop{scale, -2.4, -1.7, 40, 36, flip};
      const std::vector<float> out = sample(image, crop);
      double worst = 0;
      for (int v = 0; v < crop.height; ++v) {
        for (int u = 0; u < crop.width; ++u) {
          double x = 0, y = 0;
          crop.to_image(u, v, &x, &y);
          for (int c = 0; c < 3; ++c) {
            worst = std::max(worst, std::abs(at(out, crop, c, u, v) - bilinear(image, x, y, c)));
          }
        }
      }
      CHECK(worst < 1e-6);
    }
  }
}

TEST_CASE("shrinking averages the bilinear surface over a box of sqrt(1/s^2 - 1) pixels", "[crop]") {
  constexpr int kSteps = 400;  // midpoint rule in both directions
  const Image image = random_image(60, 50);
  for (const double scale : {0.12, 0.4, 0.8}) {
    const Crop crop{scale, -3.2, 1.9, 8, 7, true};
    const std::vector<float> out = sample(image, crop);
    const double box = std::sqrt(1 / (scale * scale) - 1);
    for (const auto& [u, v] : {std::pair(0, 0), std::pair(3, 2), std::pair(7, 6)}) {
      double x = 0, y = 0, sum = 0;
      crop.to_image(u, v, &x, &y);
      for (int j = 0; j < kSteps; ++j) {
        for (int i = 0; i < kSteps; ++i) {
          sum +=
              bilinear(image, x + box * ((i + 0.5) / kSteps - 0.5), y + box * ((j + 0.5) / kSteps - 0.5), 1);
        }
      }
      CAPTURE(scale);
      CHECK(std::abs(at(out, crop, 1, u, v) - sum / kSteps / kSteps) < 1e-4);
    }
  }
}

TEST_CASE("a flat image stays flat and what lies outside is 0", "[crop]") {
  const Image image(100, 80, {228, 28, 128});
  for (const double scale : {0.25, 1.0, 1.9}) {
    const Crop crop{scale, -60, -60, 400, 380, false};
    const std::vector<float> out = sample(image, crop);
    int inside = 0, outside = 0;
    for (int v = 0; v < crop.height; ++v) {
      for (int u = 0; u < crop.width; ++u) {
        double x = 0, y = 0;
        crop.to_image(u, v, &x, &y);
        const double reach = 1 + 0.5 / scale;
        const bool far = x < -reach || y < -reach || x > 99 + reach || y > 79 + reach;
        const bool deep = x > reach && y > reach && x < 99 - reach && y < 79 - reach;
        if (far) {
          for (int c = 0; c < 3; ++c) REQUIRE(at(out, crop, c, u, v) == 0.0f);
          ++outside;
        } else if (deep) {
          REQUIRE(std::abs(at(out, crop, 0, u, v) - 100.0f / 256) < 1e-6f);
          REQUIRE(std::abs(at(out, crop, 1, u, v) + 100.0f / 256) < 1e-6f);
          REQUIRE(at(out, crop, 2, u, v) == 0.0f);
          ++inside;
        }
      }
    }
    CHECK(inside > 100);
    CHECK(outside > 1000);
  }
}

TEST_CASE("crops far from the image, tiny ones and empty images give zeros", "[crop]") {
  const Image image = random_image(20, 20);
  for (const double far : {1e3, -1e3, 1e12, -1e12, 1e300}) {
    const Crop crop{1.3, far, 2, 7, 5, false};
    for (const float value : sample(image, crop)) REQUIRE(value == 0.0f);
  }
  for (const float value : sample(Image(), {1, 0, 0, 4, 4, false})) REQUIRE(value == 0.0f);
  const std::vector<float> speck = sample(Image(200, 200, {255, 255, 255}), {0.001, -400, -400, 1, 1, false});
  CHECK(speck[0] > 0.0f);  // 200 of about 1000 pixels each way
  CHECK(speck[0] < 0.5f * 0.06f);
  for (const double bad : {0.0, -1.0, std::nan("")}) {
    float out[3] = {};
    CHECK_THROWS_AS(cpm::sample_crop(image, {bad, 0, 0, 1, 1, false}, out), kernels::Error);
  }
}
