#include "engine/tune/sample_stats.h"

#include <algorithm>

namespace engine {

namespace {

double quantile(const std::vector<double>& sorted, double fraction) {
  const double place = fraction * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(place);
  if (below + 1 == sorted.size()) return sorted[below];
  const double weight = place - static_cast<double>(below);
  return sorted[below] + weight * (sorted[below + 1] - sorted[below]);
}

}  // namespace

SampleStats sample_stats(std::vector<double> samples) {
  if (samples.empty()) return {};
  std::sort(samples.begin(), samples.end());
  return {.min = samples.front(),
          .q1 = quantile(samples, 0.25),
          .median = quantile(samples, 0.5),
          .q3 = quantile(samples, 0.75),
          .max = samples.back()};
}

}  // namespace engine
