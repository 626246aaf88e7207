// Batches whose numbers come from names (engine/nn/named_fill.h), the same in every implementation: what the
// golden numbers, the self-test and bench_cpm feed the network.
#pragma once

#include "cpm/dataset/loader.h"

namespace cpm {

/// image in [-0.5, 0.5), center and target in [0, 1), by the formula of the golden numbers; both targets are
/// the same. height and width: multiples of 8.
Batch named_batch(int n, int joints, int height, int width);

}  // namespace cpm
