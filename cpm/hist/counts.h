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

/// Equal bins over [-range, range].
struct LinearBins {
  int bins = 0;
  double range = 0;
};

struct GradCounts {
  std::array<uint64_t, kGradBins> negative = {},
                                  positive = {};  // by magnitude, ascending (LogHistogram's bins)
  uint64_t zero = 0, subnormal = 0, underflow = 0, overflow = 0, nan = 0, inf = 0;
  std::vector<uint64_t> linear;  // below, LinearBins::bins, above; empty where none were recorded

  GradCounts& operator+=(const GradCounts& other);
  uint64_t elements() const;  // all counters, without `linear`
};

/// |x| at rank p n of the n finite elements that are not zero: inside its bin, interpolated on the log axis
/// (subnormal, underflow and overflow are bins too, from 2^-149 to 2^128). NaN where n is 0.
double magnitude_quantile(const GradCounts& counts, double p);

/// Shares of all elements in each bin of magnitude, both signs; they sum to 1 less zeros and specials.
std::array<double, kGradBins> magnitude_shares(const GradCounts& counts);
/// Share of the elements that are exactly zero; 0 where there are none.
double zero_share(const GradCounts& counts);

/// Shares of all elements in equal bins of the signed axis. A bin of magnitude is spread evenly over its
/// interval; what is too small for one (zero among it) lies at 0. What lies outside the range is left out.
std::vector<double> signed_shares(const GradCounts& counts, const LinearBins& bins);
/// The same from the recorded linear counters; `counts.linear` must not be empty.
std::vector<double> recorded_signed_shares(const GradCounts& counts);

}  // namespace cpm
