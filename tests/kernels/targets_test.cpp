// Target maps of whole batches against the formula written out cell by cell in double. (tests/cpm/
// targets_test.cpp looks at single maps.)
#include "kernels/targets/targets.h"

#include "tests/support/target_people.h"

namespace {

using kernels::Backend;
using kernels::TargetJoint;
using kernels::TargetMaps;
using kernels::TargetsProblem;
using namespace tests;

double gaussian(double dx, double dy, double sigma) {
  const double exponent = (dx * dx + dy * dy) / (2 * sigma * sigma);
  return exponent > 4.6052 ? 0.0 : std::exp(-exponent);
}

/// maps of the first `count` people of each sample.
std::vector<double> direct(const TargetsProblem& p, const TargetPeople& people, int64_t count) {
  std::vector<double> maps;
  const int64_t rows = p.height / 8, cols = p.width / 8, cells = rows * cols;
  for (size_t sample = 0; sample < static_cast<size_t>(p.n); ++sample) {
    std::vector<double> most(static_cast<size_t>(cells), 0.0);
    for (int64_t j = 0; j < p.joints; ++j) {
      for (int64_t cell = 0; cell < cells; ++cell) {
        double sum = 0;
        const int64_t end = std::min(people.first[sample + 1], people.first[sample] + count);
        for (int64_t person = people.first[sample]; person < end; ++person) {
          const TargetJoint& joint = people.joints[static_cast<size_t>(person * p.joints + j)];
          const auto x = static_cast<double>(8 * (cell % cols)) + 3.5;
          const auto y = static_cast<double>(8 * (cell / cols)) + 3.5;
          if (joint.labelled != 0) sum += gaussian(x - joint.x, y - joint.y, 7);
        }
        maps.push_back(std::min(sum, 1.0));
        most[static_cast<size_t>(cell)] = std::max(most[static_cast<size_t>(cell)], maps.back());
      }
    }
    for (const double m : most) maps.push_back(std::max(0.0, 1 - m));
  }
  return maps;
}

double worst(const GuardedBuffer<float>& got, const std::vector<double>& wanted) {
  REQUIRE(got.guards_intact());
  REQUIRE(got.no_nans());
  REQUIRE(got.size() == wanted.size());
  double most = 0;
  for (size_t i = 0; i < wanted.size(); ++i) most = std::max(most, std::fabs(double{got[i]} - wanted[i]));
  return most;
}

}  // namespace

TEST_CASE("targets: a batch is the formula's") {
  Cpu cpu;
  std::mt19937 random(81);
  for (const bool mask_missing : {false, true}) {
    const TargetsProblem p{5, 4, 56, 72, mask_missing};
    const TargetPeople people(random, p);
    const auto values = static_cast<size_t>(map_values(p));
    GuardedBuffer<float> stage1(values), rest(values), mask(5 * 5), center(5 * 56 * 72);
    kernels::targets_kernels(Backend::Cpu)
        .draw(cpu.exec, p, people.view(), {stage1.data(), rest.data(), mask.data(), center.data()});
    CHECK(worst(stage1, direct(p, people, 100)) <= 1e-7);
    CHECK(worst(rest, direct(p, people, 1)) <= 1e-7);
    std::vector<double> centers, masks;
    for (size_t i = 0; i < 5; ++i) {
      for (int y = 0; y < 56; ++y) {
        for (int x = 0; x < 72; ++x) {
          centers.push_back(gaussian(x - people.centers[i].x, y - people.centers[i].y, 21));
        }
      }
      for (size_t j = 0; j < 5; ++j) {
        const auto first = static_cast<size_t>(people.first[i]);
        const bool labelled = i % 4 != 0 && j < 4 && people.joints[first * 4 + j].labelled != 0;
        masks.push_back(!mask_missing || j == 4 || labelled ? 1 : 0);
      }
    }
    CHECK(worst(center, centers) <= 1e-7);
    CHECK(worst(mask, masks) == 0);
  }
}

TEST_CASE("targets: what is null is not drawn, and the rest has the same bits") {
  Cpu cpu;
  std::mt19937 random(82);
  const TargetsProblem p{3, 2, 24, 32, true};
  const TargetPeople people(random, p);
  const auto values = static_cast<size_t>(map_values(p));
  std::vector<float> all[4] = {std::vector<float>(values), std::vector<float>(values), std::vector<float>(9),
                               std::vector<float>(3 * 24 * 32)};
  const auto& kernel = kernels::targets_kernels(Backend::Cpu);
  kernel.draw(cpu.exec, p, people.view(), {all[0].data(), all[1].data(), all[2].data(), all[3].data()});
  for (size_t i = 0; i < 4; ++i) {
    GuardedBuffer<float> one(all[i].size());
    float* to[4] = {};
    to[i] = one.data();
    kernel.draw(cpu.exec, p, people.view(), {to[0], to[1], to[2], to[3]});
    CHECK(same_bits(one.values(), all[i]));
  }
  kernel.draw(cpu.exec, p, people.view(), {});
}

TEST_CASE("targets: same bits for any number of threads") {
  std::mt19937 random(83);
  const TargetsProblem p{6, 3, 48, 40, false};
  const TargetPeople people(random, p);
  require_same_for_any_threads([&](Cpu& cpu) {
    std::vector<float> maps(static_cast<size_t>(map_values(p)));
    kernels::targets_kernels(Backend::Cpu).draw(cpu.exec, p, people.view(), {.stage1 = maps.data()});
    return maps;
  });
}
