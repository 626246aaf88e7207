#include "cpm/hist/counts.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/base/error.h"

namespace cpm {
namespace {

double share(uint64_t part, uint64_t all) {
  return all == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(all);
}

double inside(double low, double high, double part) {
  return low * std::pow(high / low, part);
}

/// Adds `mass`, spread evenly over [low, high], to the bins it overlaps.
void spread_mass(std::vector<double>* shares, const LinearBins& bins, double low, double high, double mass) {
  if (mass == 0) return;
  const double width = 2 * bins.range / bins.bins;
  const auto position = [&](double x) { return std::clamp((x + bins.range) / width, 0.0, 1.0 * bins.bins); };
  const double from = position(low), to = position(high), whole = (high - low) / width;
  for (int b = static_cast<int>(from); b < to; ++b) {
    (*shares)[b] += mass * (std::min(to, b + 1.0) - std::max(from, 1.0 * b)) / whole;
  }
}

}  // namespace

GradCounts& GradCounts::operator+=(const GradCounts& other) {
  for (int b = 0; b < kGradBins; ++b) {
    negative[b] += other.negative[b];
    positive[b] += other.positive[b];
  }
  zero += other.zero;
  subnormal += other.subnormal;
  underflow += other.underflow;
  overflow += other.overflow;
  nan += other.nan;
  inf += other.inf;
  if (linear.empty()) {
    linear = other.linear;
  } else {
    CPM_CHECK(linear.size() == other.linear.size(), "{} linear counters and {}", linear.size(),
              other.linear.size());
    for (size_t i = 0; i < linear.size(); ++i) linear[i] += other.linear[i];
  }
  return *this;
}

uint64_t GradCounts::elements() const {
  uint64_t sum = zero + subnormal + underflow + overflow + nan + inf;
  for (int b = 0; b < kGradBins; ++b) sum += negative[b] + positive[b];
  return sum;
}

double magnitude_quantile(const GradCounts& counts, double p) {
  const uint64_t all = counts.elements() - counts.zero - counts.nan - counts.inf;
  if (all == 0) return std::numeric_limits<double>::quiet_NaN();
  const double rank = p * static_cast<double>(all);
  double below = 0, result = 0;
  bool found = false;
  const auto bin = [&](uint64_t count, double low, double high) {
    const auto size = static_cast<double>(count);
    if (found || count == 0) return;
    result = inside(low, high, std::min(1.0, (rank - below) / size));
    found = below + size >= rank;
    below += size;
  };
  bin(counts.subnormal, 0x1p-149, 0x1p-126);
  bin(counts.underflow, 0x1p-126, kernels::log_bin_edge(0));
  for (int b = 0; b < kGradBins; ++b) {
    bin(counts.negative[b] + counts.positive[b], kernels::log_bin_edge(b), kernels::log_bin_edge(b + 1));
  }
  bin(counts.overflow, kernels::log_bin_edge(kGradBins), 0x1p128);
  return result;
}

std::array<double, kGradBins> magnitude_shares(const GradCounts& counts) {
  std::array<double, kGradBins> shares;
  const uint64_t all = counts.elements();
  for (int b = 0; b < kGradBins; ++b) shares[b] = share(counts.negative[b] + counts.positive[b], all);
  return shares;
}

double zero_share(const GradCounts& counts) {
  return share(counts.zero, counts.elements());
}

std::vector<double> signed_shares(const GradCounts& counts, const LinearBins& bins) {
  CPM_CHECK(bins.bins > 0 && bins.range > 0, "{} bins over +-{}", bins.bins, bins.range);
  std::vector<double> shares(bins.bins, 0.0);
  const uint64_t all = counts.elements();
  for (int b = 0; b < kGradBins; ++b) {
    const double low = kernels::log_bin_edge(b), high = kernels::log_bin_edge(b + 1);
    spread_mass(&shares, bins, -high, -low, share(counts.negative[b], all));
    spread_mass(&shares, bins, low, high, share(counts.positive[b], all));
  }
  // At 0: the middle of the middle bin, or the border of two.
  const double small = share(counts.zero + counts.subnormal + counts.underflow, all);
  shares[(bins.bins - 1) / 2] += small / 2;
  shares[bins.bins / 2] += small / 2;
  return shares;
}

std::vector<double> recorded_signed_shares(const GradCounts& counts) {
  CPM_CHECK(counts.linear.size() > 2, "no linear counters");
  std::vector<double> shares;
  const uint64_t all = counts.elements();
  for (size_t i = 1; i + 1 < counts.linear.size(); ++i) shares.push_back(share(counts.linear[i], all));
  return shares;
}

}  // namespace cpm
