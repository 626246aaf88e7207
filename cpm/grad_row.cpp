#include "cpm/grad_row.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace cpm {

namespace {

using kernels::LogHistogram;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

}  // namespace

void GradRow::add(const GradCounts& step) {
  for (size_t bin = 0; bin < LogHistogram::kBins; ++bin) {
    counts[LogHistogram::kBins - 1 - bin] += step.histogram.negative[bin];
    counts[LogHistogram::kBins + bin] += step.histogram.positive[bin];
  }
  const kernels::SegmentStats& stats = step.stats;
  const uint64_t kinds[] = {static_cast<uint64_t>(stats.zero), static_cast<uint64_t>(stats.subnormal),
                            step.histogram.underflow,          step.histogram.overflow,
                            static_cast<uint64_t>(stats.nan),  static_cast<uint64_t>(stats.inf)};
  for (size_t i = 0; i < special.size(); ++i) special[i] += kinds[i];
  if (linear.empty()) linear.resize(step.linear.size());
  for (size_t i = 0; i < linear.size(); ++i) linear[i] += step.linear[i];
  squares += stats.sum_squares;
  sizes += stats.sum_abs;
  largest = std::max(largest, stats.max_abs);
  change += step.update.change;
  weight += step.update.weight;
  ++steps;
}

std::array<double, 4> GradRow::stats() const {
  uint64_t finite = special[0] + special[1] + special[2] + special[3];
  for (const uint64_t count : counts) finite += count;
  return {std::sqrt(squares / static_cast<double>(steps)), largest,
          finite > 0 ? sizes / static_cast<double>(finite) : kNone,
          weight > 0 ? std::sqrt(change / weight) : kNone};
}

std::array<double, GradRow::kSums> GradRow::sums() const {
  return {squares, sizes, largest, change, weight, static_cast<double>(steps)};
}

void GradRow::set_sums(const std::vector<double>& sums) {
  squares = sums.at(0);
  sizes = sums.at(1);
  largest = sums.at(2);
  change = sums.at(3);
  weight = sums.at(4);
  steps = static_cast<int64_t>(sums.at(5));
}

double magnitude_quantile(const uint64_t* counts, const uint64_t* special, double q) {
  const auto at = [&](int bin) {
    return static_cast<double>(counts[LogHistogram::kBins - 1 - bin] + counts[LogHistogram::kBins + bin]);
  };
  const auto below = static_cast<double>(special[1] + special[2]);
  double total = below + static_cast<double>(special[3]);
  for (int bin = 0; bin < LogHistogram::kBins; ++bin) total += at(bin);
  if (total == 0) return kNone;
  const double wanted = q * total;
  double seen = below;
  if (wanted <= seen) return kernels::log_bin_edge(0);
  for (int bin = 0; bin < LogHistogram::kBins; ++bin) {
    if (wanted <= seen + at(bin)) {
      const double low = kernels::log_bin_edge(bin), high = kernels::log_bin_edge(bin + 1);
      return low * std::pow(high / low, (wanted - seen) / at(bin));
    }
    seen += at(bin);
  }
  return kernels::log_bin_edge(LogHistogram::kBins);
}

}  // namespace cpm
