#include "cpm/learning_rate.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace cpm {

double learning_rate(const OptimConfig& optim, int64_t step, int64_t total) {
  double factor = 1;
  if (optim.warmup > 0 && step <= optim.warmup) {
    factor = static_cast<double>(step) / static_cast<double>(optim.warmup);
  } else if (optim.schedule == "step") {
    factor = std::pow(optim.step_gamma, static_cast<double>((step - 1) / optim.step_every));
  } else if (optim.schedule == "cosine") {
    const double done = static_cast<double>(step - 1 - optim.warmup) /
                        static_cast<double>(std::max<int64_t>(1, total - optim.warmup));
    factor = 0.5 * (1 + std::cos(std::numbers::pi * std::min(1.0, done)));
  }
  return optim.lr * factor;
}

}  // namespace cpm
