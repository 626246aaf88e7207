// How fast a run went, from its metrics.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cpm/report/series.h"

namespace cpm {

struct Speed {
  Curve images_per_second;  // over equal parts of the run: of the middle step of each, so that pauses (for
                            // validation, for saving) do not count
  Curve wait_share;         // in [0, 1]: of a part's time, what the loop waited for data
  double images = 0;        // a second, of the middle step of all
  double wait = 0;          // share of all the time
};

/// From metrics.csv's step, samples, seconds and data_wait; empty curves where they say nothing.
Speed speed_of(const std::map<std::string, std::vector<double>>& metrics);

}  // namespace cpm
