// A convolution's output against plain loops in double, at random places: enough to catch a wrong row, and
// quick enough to come before every measurement.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/conv2d/conv2d.h"

namespace engine {

class ConvCheck {
 public:
  static constexpr int64_t kSamples = 4096;

  /// Computes the expected values at kSamples random places of the output (all of them where it has fewer),
  /// from inputs on the host.
  ConvCheck(kernels::ThreadPool& threads, const kernels::ConvProblem& problem, kernels::Direction direction,
            const kernels::ConvOperands<float>& host, uint64_t seed);

  /// Relative L2 error over those places; NaN where any element of the whole output is not finite.
  double error(std::span<const float> output) const;
  /// What float arithmetic may cost: max(1e-6, 3e-8 sqrt(terms of a sum)).
  double bound() const { return bound_; }

 private:
  std::vector<int64_t> places_;
  std::vector<double> expected_;
  double bound_;
};

}  // namespace engine
