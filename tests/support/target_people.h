// Samples with people and centres at random places in and around the input, for tests of the target kernels.
#pragma once

#include <vector>

#include "kernels/targets/targets.h"
#include "tests/support/cpu_kernels.h"

namespace tests {

/// The arrays of kernels::TargetsPeople.
struct TargetPeople {
  std::vector<kernels::TargetJoint> joints;
  std::vector<int64_t> first{0};
  std::vector<kernels::TargetPoint> centers;

  /// Sample i shows i % 4 people; every sixth joint has no label.
  TargetPeople(std::mt19937& random, const kernels::TargetsProblem& problem) {
    const auto place = [&](int64_t side) {
      return static_cast<double>(pick(random, -40 * 16, (side + 40) * 16)) / 16;
    };
    for (int64_t i = 0; i < problem.n; ++i) {
      first.push_back(first.back() + i % 4);
      centers.push_back({place(problem.width), place(problem.height)});
    }
    for (int64_t i = 0; i < first.back() * problem.joints; ++i) {
      joints.push_back({place(problem.width), place(problem.height), i % 6 == 5 ? 0 : 1});
    }
  }

  kernels::TargetsPeople view() const { return {joints.data(), first.data(), centers.data()}; }
};

inline int64_t map_values(const kernels::TargetsProblem& problem) {
  return problem.n * (problem.joints + 1) * (problem.height / 8) * (problem.width / 8);
}

}  // namespace tests
