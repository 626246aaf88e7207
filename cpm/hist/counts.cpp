#include "cpm/hist/counts.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cpm/grad_row.h"
#include "kernels/base/error.h"

namespace cpm {

static_assert(GradRow::kSpecials.size() == kSpecials && GradRow::kBins == 2 * kGradBins);

namespace {

double share(uint64_t part, uint64_t all) {
  return all == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(all);
}

/// Adds `mass`, spread evenly over [low, high], to the bins it overlaps.
void spread_mass(std::vector<double>* shares, const kernels::LinearBins& bins, double low, double high,
                 double mass) {
  if (mass == 0) return;
  const double width = 2 * bins.range / bins.bins;
  const auto position = [&](double x) { return std::clamp((x + bins.range) / width, 0.0, 1.0 * bins.bins); };
  const double from = position(low), to = position(high), whole = (high - low) / width;
  for (int b = static_cast<int>(from); b < to; ++b) {
    (*shares)[b] += mass * (std::min(to, b + 1.0) - std::max(from, 1.0 * b)) / whole;
  }
}

}  // namespace

HistCounts& HistCounts::operator+=(const HistCounts& other) {
  for (size_t i = 0; i < counts.size(); ++i) counts[i] += other.counts[i];
  for (size_t i = 0; i < special.size(); ++i) special[i] += other.special[i];
  if (linear.empty()) {
    linear = other.linear;
  } else {
    CPM_CHECK(linear.size() == other.linear.size(), "{} linear counters and {}", linear.size(),
              other.linear.size());
    for (size_t i = 0; i < linear.size(); ++i) linear[i] += other.linear[i];
  }
  return *this;
}

uint64_t HistCounts::elements() const {
  return std::accumulate(counts.begin(), counts.end(),
                         std::accumulate(special.begin(), special.end(), uint64_t{0}));
}

double magnitude_quantile(const HistCounts& counts, double p) {
  return magnitude_quantile(counts.counts.data(), counts.special.data(), p);
}

std::array<double, kGradBins> magnitude_shares(const HistCounts& counts) {
  std::array<double, kGradBins> shares;
  const uint64_t all = counts.elements();
  for (int b = 0; b < kGradBins; ++b) shares[b] = share(counts.magnitude(b), all);
  return shares;
}

double zero_share(const HistCounts& counts) {
  return share(counts.of(Special::Zero), counts.elements());
}

std::vector<double> signed_shares(const HistCounts& counts, const kernels::LinearBins& bins) {
  CPM_CHECK(bins.bins > 0 && bins.range > 0, "{} bins over +-{}", bins.bins, bins.range);
  std::vector<double> shares(bins.bins, 0.0);
  const uint64_t all = counts.elements();
  for (int b = 0; b < kGradBins; ++b) {
    const double low = kernels::log_bin_edge(b), high = kernels::log_bin_edge(b + 1);
    spread_mass(&shares, bins, -high, -low, share(counts.counts[kGradBins - 1 - b], all));
    spread_mass(&shares, bins, low, high, share(counts.counts[kGradBins + b], all));
  }
  // At 0: the middle of the middle bin, or the border of two.
  const double small =
      share(counts.of(Special::Zero) + counts.of(Special::Subnormal) + counts.of(Special::Underflow), all);
  shares[(bins.bins - 1) / 2] += small / 2;
  shares[bins.bins / 2] += small / 2;
  return shares;
}

std::vector<double> recorded_signed_shares(const HistCounts& counts) {
  CPM_CHECK(counts.linear.size() > 2, "no linear counters");
  std::vector<double> shares;
  const uint64_t all = counts.elements();
  for (size_t i = 1; i + 1 < counts.linear.size(); ++i) shares.push_back(share(counts.linear[i], all));
  return shares;
}

}  // namespace cpm
