// Order statistics of repeated measurements.
#pragma once

#include <vector>

namespace engine {

/// Quartiles interpolate linearly between neighbours; all 0 without samples.
struct SampleStats {
  double min = 0, q1 = 0, median = 0, q3 = 0, max = 0;

  /// Spread that outliers do not move.
  double iqr() const { return q3 - q1; }
};

SampleStats sample_stats(std::vector<double> samples);

}  // namespace engine
