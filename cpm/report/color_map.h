// The colour map of the belief maps: dark to bright, equal steps look equal.
#pragma once

#include "cpm/dataset/image.h"

namespace cpm {

/// t in [0, 1] from near-black indigo through magenta and orange to pale yellow; clamped, and 0 for a NaN.
Color belief_color(double t);

}  // namespace cpm
