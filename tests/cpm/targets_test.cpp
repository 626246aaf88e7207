// Target maps against the formula written out cell by cell in double.
#include "cpm/dataset/targets.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "engine/runtime/random.h"
#include "tests/support/catch.h"

using cpm::InputPerson;
using cpm::Joint;

namespace {

double gaussian(double x, double y, const Joint& joint, double sigma) {
  const double d2 = (x - joint.x) * (x - joint.x) + (y - joint.y) * (y - joint.y);
  const double exponent = d2 / (2 * sigma * sigma);
  return exponent > 4.6052 ? 0.0 : std::exp(-exponent);
}

/// Every map of the definition, in double.
std::vector<double> direct(const std::vector<InputPerson>& people, int joints, int rows, int cols) {
  std::vector<double> maps;
  std::vector<double> most(static_cast<size_t>(rows) * static_cast<size_t>(cols), 0.0);
  for (int j = 0; j < joints; ++j) {
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < cols; ++c) {
        double sum = 0;
        for (const InputPerson& person : people) {
          const Joint& joint = person.joints[static_cast<size_t>(j)];
          if (joint.labelled) sum += gaussian(8 * c + 3.5, 8 * r + 3.5, joint, 7);
        }
        maps.push_back(std::min(sum, 1.0));
        double& best = most[static_cast<size_t>(r * cols + c)];
        best = std::max(best, maps.back());
      }
    }
  }
  for (const double m : most) maps.push_back(std::max(0.0, 1 - m));
  return maps;
}

std::vector<float> drawn(const std::vector<InputPerson>& people, int joints, int rows, int cols) {
  std::vector<float> maps(static_cast<size_t>((joints + 1) * rows * cols), std::nanf(""));
  cpm::draw_targets(people, joints, rows, cols, maps.data());
  return maps;
}

double worst(const std::vector<float>& got, const std::vector<double>& wanted) {
  REQUIRE(got.size() == wanted.size());
  double most = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    const double d = std::abs(static_cast<double>(got[i]) - wanted[i]);
    if (!(d <= most)) most = d;
  }
  return most;
}

}  // namespace

TEST_CASE("targets are the formula's") {
  engine::Random random(3, engine::RandomStream::Test, 0);
  for (int trial = 0; trial < 40; ++trial) {
    const int joints = 1 + trial % 5, rows = 3 + trial % 7, cols = 4 + trial % 9;
    std::vector<InputPerson> people(static_cast<size_t>(1 + trial % 3));
    for (InputPerson& person : people) {
      for (int j = 0; j < joints; ++j) {
        const double x = random.uniform(-40, 8 * cols + 40), y = random.uniform(-40, 8 * rows + 40);
        person.joints.push_back({x, y, random.uniform() < 0.85});
      }
    }
    CAPTURE(trial);
    CHECK(worst(drawn(people, joints, rows, cols), direct(people, joints, rows, cols)) <= 1e-6);
  }
}

TEST_CASE("a joint far outside leaves an empty map") {
  for (const double far : {1e3, -1e3, 1e12, -1e12}) {
    const std::vector<float> maps = drawn({{{{far, 20, true}}}}, 1, 6, 6);
    CHECK(std::count(maps.begin(), maps.begin() + 36, 0.0f) == 36);
    CHECK(std::count(maps.begin() + 36, maps.end(), 1.0f) == 36);
  }
}

TEST_CASE("a joint on a cell peaks at one there, and the cut-off is a disc") {
  const std::vector<float> maps = drawn({{{{8 * 4 + 3.5, 8 * 4 + 3.5, true}}}}, 1, 9, 9);
  const auto at = [&](int r, int c) { return maps[static_cast<size_t>(r * 9 + c)]; };
  CHECK(at(4, 4) == 1.0f);
  CHECK(std::abs(at(4, 5) - std::exp(-64.0 / 98)) < 1e-7);
  CHECK(std::abs(at(5, 5) - std::exp(-128.0 / 98)) < 1e-7);
  CHECK(std::abs(at(4, 6) - std::exp(-256.0 / 98)) < 1e-7);
  CHECK(std::abs(at(6, 5) - std::exp(-320.0 / 98)) < 1e-7);
  CHECK(at(6, 6) == 0.0f);  // exponent 512 / 98 = 5.2, though each axis alone is within the cut-off
  CHECK(at(4, 7) == 0.0f);
  CHECK(maps[81 + 4 * 9 + 4] == 0.0f);
  CHECK(maps[81] == 1.0f);
}

TEST_CASE("people add up and are clipped at one") {
  const InputPerson one{{{19.5, 19.5, true}}}, near{{{23.5, 19.5, true}}}, same = one;
  const std::vector<float> pair = drawn({one, near}, 1, 5, 5);
  CHECK(pair[2 * 5 + 2] == 1.0f);
  const double side = std::exp(-64.0 / 98) + std::exp(-16.0 / 98);
  CHECK(side > 1);
  CHECK(pair[2 * 5 + 3] == 1.0f);
  CHECK(std::abs(pair[2 * 5 + 1] - (std::exp(-64.0 / 98) + std::exp(-144.0 / 98))) < 1e-6);
  CHECK(drawn({one, same}, 1, 5, 5)[2 * 5 + 2] == 1.0f);
  for (const float b : pair) CHECK((b >= 0.0f && b <= 1.0f));
}

TEST_CASE("joints without a label have empty maps") {
  const InputPerson person{{{19.5, 19.5, false}, {11.5, 11.5, true}}};
  const std::vector<float> maps = drawn({person}, 2, 5, 5);
  CHECK(std::count(maps.begin(), maps.begin() + 25, 0.0f) == 25);
  CHECK(maps[25 + 6] == 1.0f);
  CHECK(maps[50 + 6] == 0.0f);
}

TEST_CASE("the centre map is the formula's at full resolution") {
  const int height = 70, width = 130;
  for (const auto& [x, y] :
       {std::pair{64.5, 34.5}, {0.0, 0.0}, {-30.25, 80.5}, {129.0, 10.75}, {5000.0, 3.0}}) {
    std::vector<float> center(static_cast<size_t>(height * width), std::nanf(""));
    cpm::draw_center(x, y, height, width, center.data());
    std::vector<double> wanted;
    for (int v = 0; v < height; ++v) {
      for (int u = 0; u < width; ++u) wanted.push_back(gaussian(u, v, {x, y, true}, 21));
    }
    CHECK(worst(center, wanted) <= 1e-6);
  }
}

TEST_CASE("the dead plateau is the loss of answering zero") {
  const std::vector<InputPerson> people{{{{30, 25, true}, {44.25, 17.5, true}, {9, 9, false}}}};
  const std::vector<float> maps = drawn(people, 3, 8, 8);
  double joints = 0, background = 0;
  for (size_t i = 0; i < maps.size(); ++i) {
    const double error = 0.0 - maps[i];
    (i < 3 * 64 ? joints : background) += error * error / 2;
  }
  CHECK(std::abs(cpm::dead_plateau(maps.data(), 3, 64, false) - joints) < 1e-12);
  CHECK(std::abs(cpm::dead_plateau(maps.data(), 3, 64, true) - (joints + background)) < 1e-12);
}

TEST_CASE("a joint's map holds pi sigma^2 / 64 of squared energy on average") {
  double energy = 0;
  for (int dy = 0; dy < 8; ++dy) {
    for (int dx = 0; dx < 8; ++dx) {
      const std::vector<float> maps = drawn({{{{40.0 + dx, 40.0 + dy, true}}}}, 1, 12, 12);
      energy += 2 * cpm::dead_plateau(maps.data(), 1, 144, false) / 64;
    }
  }
  CHECK(std::abs(energy - std::numbers::pi * 49 / 64 * (1 - std::exp(-2 * 4.6052))) < 1e-3);
}
