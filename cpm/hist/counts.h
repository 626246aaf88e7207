// Counters of one histogram of log magnitudes, and what is read off them. Counters add exactly; everything
// else is computed from the sums.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/reduce/reduce.h"

namespace cpm {

inline constexpr int kGradBins = kernels::LogHistogram::kBins;

/// In the order of GradRow::kSpecials.
enum class Special { Zero, Subnormal, Underflow, Overflow, Nan, Inf };
inline constexpr size_t kSpecials = 6;

struct HistCounts {
  /// Ascending in the signed number: negative bins from large to small magnitude, then the positive ones.
  std::array<uint64_t, 2 * kGradBins> counts = {};
  std::array<uint64_t, kSpecials> special = {};
  std::vector<uint64_t> linear;  // below, kernels::LinearBins::bins, above; empty where none were recorded

  uint64_t magnitude(int bin) const { return counts[kGradBins - 1 - bin] + counts[kGradBins + bin]; }
  uint64_t of(Special kind) const { return special[static_cast<size_t>(kind)]; }
  HistCounts& operator+=(const HistCounts& other);
  uint64_t elements() const;  // all counters, without `linear`
};

/// As cpm/grad_row.h's.
double magnitude_quantile(const HistCounts& counts, double p);

/// Shares of all elements in each bin of magnitude, both signs; they sum to 1 less zeros and specials.
std::array<double, kGradBins> magnitude_shares(const HistCounts& counts);
/// Share of the elements that are exactly zero; 0 where there are none.
double zero_share(const HistCounts& counts);

/// Shares of all elements in equal bins of the signed axis. A bin of magnitude is spread evenly over its
/// interval; what is too small for one (zero among it) lies at 0. What lies outside the range is left out.
std::vector<double> signed_shares(const HistCounts& counts, const kernels::LinearBins& bins);
/// The same from the recorded linear counters; `counts.linear` must not be empty.
std::vector<double> recorded_signed_shares(const HistCounts& counts);

}  // namespace cpm
