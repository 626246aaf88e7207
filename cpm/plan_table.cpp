#include "cpm/plan_table.h"

#include <algorithm>

namespace cpm {

std::vector<PlanLayer> plan_table(const std::vector<engine::PlannedConv>& lines) {
  std::vector<PlanLayer> layers;
  for (const engine::PlannedConv& line : lines) {
    auto layer = std::find_if(layers.begin(), layers.end(),
                              [&](const PlanLayer& other) { return other.layer == line.layer; });
    if (layer == layers.end()) layer = layers.insert(layers.end(), PlanLayer{.layer = line.layer});
    layer->shape = to_string(line.problem);
    layer->gflop = 2e-9 * line.problem.macs();
    layer->rows[static_cast<size_t>(line.direction)] = line.row;
  }
  return layers;
}

}  // namespace cpm
