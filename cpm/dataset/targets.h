// Belief-map targets and the centre map of people in input pixels; the formulas are in
// kernels/targets/targets.h.
#pragma once

#include <vector>

#include "cpm/dataset/dataset.h"
#include "kernels/targets/targets.h"

namespace cpm {

inline constexpr int kStride = kernels::kTargetStride;  // input pixels per heat-map cell

/// Joints of one person in input pixels.
struct InputPerson {
  std::vector<Joint> joints;
};

/// The coordinates of samples, packed as the kernels want them (shapes: kernels::TargetsPeople). The arrays
/// may be copied to a device as they are.
struct PackedPeople {
  std::vector<kernels::TargetJoint> joints;
  std::vector<int64_t> first{0};
  std::vector<kernels::TargetPoint> centers;

  /// One more sample: its people, each with `count` joints, the centre person first, and its centre.
  void add(const std::vector<InputPerson>& people, int count, kernels::TargetPoint center);
  /// Pointers into the arrays.
  kernels::TargetsPeople view() const { return {joints.data(), first.data(), centers.data()}; }
};

/// kernels::targets_kernels on the CPU and the calling thread.
void draw(const kernels::TargetsProblem& problem, const PackedPeople& people,
          const kernels::TargetMaps& maps);

/// maps [joints + 1, rows, cols], the last one background; a joint without a label adds nothing.
void draw_targets(const std::vector<InputPerson>& people, int joints, int rows, int cols, float* maps);

/// center [height, width] at full resolution.
void draw_center(double x, double y, int height, int width, float* center);

/// Half the squared sum of maps [joints + 1, cells]: the loss per image of a stage that answers zero
/// everywhere for the joints. `with_background` adds the background map's share.
double dead_plateau(const float* maps, int joints, int64_t cells, bool with_background);

}  // namespace cpm
