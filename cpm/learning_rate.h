// The learning rate's course over a run, or over a period of one (cpm/supervision.h).
#pragma once

#include "cpm/config.h"

namespace cpm {

/// Learning rate of step `step` (from 1) of `total`: warm-up, then constant, step or cosine.
double learning_rate(const OptimConfig& optim, int64_t step, int64_t total);

}  // namespace cpm
