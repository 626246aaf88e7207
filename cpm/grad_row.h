// What a record says of one tensor's gradient: counts that add exactly, sums, and the figures made from them.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "cpm/grad_collector.h"

namespace cpm {

struct GradRow {
  static constexpr size_t kBins = 2 * kernels::LogHistogram::kBins;
  static constexpr std::array<const char*, 6> kSpecials = {"zero",     "subnormal", "underflow",
                                                           "overflow", "nan",       "inf"};
  static constexpr std::array<const char*, 4> kStats = {"l2", "max", "mean", "update_ratio"};
  static constexpr size_t kSums = 6;

  /// Ascending in the signed number: negative bins from large to small magnitude, then the positive ones.
  std::vector<uint64_t> counts = std::vector<uint64_t>(kBins);
  std::vector<uint64_t> special = std::vector<uint64_t>(kSpecials.size());
  std::vector<uint64_t> linear;                // [bins + 2], or empty
  double squares = 0, sizes = 0, largest = 0;  // sums of g^2 and |g|, maximum of |g|: of finite elements
  double change = 0, weight = 0;               // as kernels::UpdateSums
  int64_t steps = 0;                           // that were added

  void add(const GradCounts& step);
  /// As kStats: root of the mean over steps of the squared norm; the largest and the mean |g| of finite
  /// elements; root of the sums' ratio, |w after - w before| / |w before| of one step. NaN where there is
  /// none.
  std::array<double, 4> stats() const;
  /// squares ... steps, for a file, and back.
  std::array<double, kSums> sums() const;
  void set_sums(const std::vector<double>& sums);
};

/// The q-quantile of |g| over finite elements other than 0, interpolated inside a bin on the logarithmic
/// axis; what lies outside the bins is at their ends. NaN where there is no such element. counts [kBins],
/// special [6].
double magnitude_quantile(const uint64_t* counts, const uint64_t* special, double q);

}  // namespace cpm
