// The plan of convolution rows by layer, as the run header prints it and the report shows it.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "engine/tune/conv_plan.h"

namespace cpm {

struct PlanLayer {
  std::string layer, shape;
  double gflop = 0;                                   // of one direction
  std::array<std::string, 3> rows = {"-", "-", "-"};  // fprop, dgrad, wgrad
};

/// In the order of the lines.
std::vector<PlanLayer> plan_table(const std::vector<engine::PlannedConv>& lines);

}  // namespace cpm
