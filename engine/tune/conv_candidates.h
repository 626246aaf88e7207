// Between which rows a choice for a problem is made: what benchmarks compare and the tuner times.
#pragma once

#include <vector>

#include "kernels/conv2d/conv2d.h"

namespace engine {

/// Whether a row is its backend's readable reference, "backend.reference": an oracle that takes minutes on
/// large problems.
bool is_reference(const kernels::ConvRow<float>& row);

/// The rows of exec's backend that can run the problem, in the list's order: no reference, none whose cost is
/// infinite (it declines the problem, for its accuracy say), and those that run by name only where `by_name`
/// asks for them. None where only a reference can.
std::vector<const kernels::ConvRow<float>*> conv_candidates(const kernels::Exec& exec,
                                                            const kernels::ConvProblem& problem,
                                                            kernels::Direction direction, bool by_name);

}  // namespace engine
