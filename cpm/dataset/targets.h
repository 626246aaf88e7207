// Belief-map targets and the centre map, as the CPM release draws them (CPMDataLayer, data_transformer.cpp):
// a joint's map is exp(-d^2 / (2 sigma^2)), zero where the exponent exceeds 4.6052, evaluated at input pixel
// 8 i + 3.5 for cell i; people are summed and clipped at 1; background = max(0, 1 - maximum over joints).
#pragma once

#include <vector>

#include "cpm/dataset/dataset.h"

namespace cpm {

inline constexpr double kTargetSigma = 7;   // input pixels
inline constexpr double kCenterSigma = 21;  // input pixels
inline constexpr int kStride = 8;           // input pixels per heat-map cell

/// Joints of one person in input pixels.
struct InputPerson {
  std::vector<Joint> joints;
};

/// maps [joints + 1, rows, cols], the last one background; a joint without a label adds nothing.
void draw_targets(const std::vector<InputPerson>& people, int joints, int rows, int cols, float* maps);

/// center [height, width] at full resolution: exp(-d^2 / (2 * 21^2)), cut off alike.
void draw_center(double x, double y, int height, int width, float* center);

/// Half the squared sum of maps [joints + 1, cells]: the loss per image of a stage that answers zero
/// everywhere for the joints. `with_background` adds the background map's share.
double dead_plateau(const float* maps, int joints, int64_t cells, bool with_background);

}  // namespace cpm
