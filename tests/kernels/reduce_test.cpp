// Statistics of an array: exact on whole numbers, non-finite elements counted and left out of the sums.
#include "kernels/reduce/reduce.h"

#include <algorithm>
#include <limits>

#include "tests/support/cpu_kernels.h"

namespace {

using kernels::ArrayStats;
using kernels::Backend;
using namespace tests;

template <class T>
void exact() {
  Cpu cpu;
  const auto& reduce = kernels::reduce_kernels<T>(Backend::Cpu);
  std::mt19937 random(61);
  const T bad[] = {std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity(),
                   -std::numeric_limits<T>::infinity()};
  for (const int64_t count : {0, 1, 2, 3, 7, 8, 9, 100, 1001, 32768, 32769, 100003}) {
    for (const bool spoiled : {false, true}) {
      CAPTURE(count, spoiled);
      GuardedBuffer<T> x(integers<T>(random, count, -999, 999));
      ArrayStats expected;
      for (T& value : x) {
        if (spoiled && random() % 5 == 0) value = bad[random() % 3];
        if (!std::isfinite(value)) {
          ++expected.non_finite;
          continue;
        }
        const auto size = std::fabs(static_cast<double>(value));
        expected.sum_squares += size * size;
        expected.max_abs = std::max(expected.max_abs, size);
      }
      ArrayStats stats{-1, -1, -1};
      reduce.stats(cpu.exec, count, x.data(), &stats);
      REQUIRE(stats.sum_squares == expected.sum_squares);
      REQUIRE(stats.max_abs == expected.max_abs);
      REQUIRE(stats.non_finite == expected.non_finite);
    }
  }
}

}  // namespace

TEST_CASE("reduce: exact on whole numbers, with and without NaN and infinities") {
  exact<float>();
  exact<double>();
}

TEST_CASE("reduce: the largest floats do not overflow a sum in double") {
  Cpu cpu;
  const std::vector<float> x(3, -std::numeric_limits<float>::max());
  ArrayStats stats;
  kernels::reduce_kernels<float>(Backend::Cpu).stats(cpu.exec, 3, x.data(), &stats);
  const double largest = static_cast<double>(std::numeric_limits<float>::max());
  CHECK(stats.max_abs == largest);
  CHECK(stats.sum_squares == 3 * (largest * largest));
  CHECK(stats.non_finite == 0);
}

TEST_CASE("reduce: same bits for any number of threads") {
  std::mt19937 random(62);
  const auto x = reals<float>(random, 300007);
  require_same_for_any_threads([&](Cpu& cpu) {
    ArrayStats stats;
    kernels::reduce_kernels<float>(Backend::Cpu).stats(cpu.exec, 300007, x.data(), &stats);
    return std::vector<double>{stats.sum_squares, stats.max_abs};
  });
}

namespace {

using kernels::LogHistogram;
using kernels::Segment;
using kernels::SegmentStats;

/// Powers of two and their neighbours of all sizes, both signs, with every rare kind among them.
template <class T>
std::vector<T> wild(std::mt19937& random, int64_t count) {
  using Limits = std::numeric_limits<T>;
  const T rare[] = {Limits::quiet_NaN(),  Limits::infinity(),   -Limits::infinity(), T(0), -T(0),
                    Limits::denorm_min(), -Limits::min() / T(2)};
  std::vector<T> values(static_cast<size_t>(count));
  for (T& value : values) {
    const T mantissa = T(1) + static_cast<T>(random() % 8) / 8;
    value = std::ldexp(random() % 2 == 0 ? mantissa : -mantissa, static_cast<int>(random() % 100) - 70);
    if (random() % 50 == 0) value = rare[random() % 7];
  }
  return values;
}

/// The definition, element by element: bins by comparing with the edges.
template <class T>
void count(T x, SegmentStats& stats, LogHistogram& histogram) {
  const double size = std::fabs(static_cast<double>(x));
  stats.nan += std::isnan(x);
  stats.inf += std::isinf(x);
  if (!std::isfinite(x)) return;
  stats.zero += x == 0;
  stats.sum_abs += size;
  stats.sum_squares += size * size;
  stats.max_abs = std::max(stats.max_abs, size);
  if (x == 0) return;
  if (size < static_cast<double>(std::numeric_limits<T>::min())) {
    ++stats.subnormal;
    return;
  }
  if (size < kernels::log_bin_edge(0)) {
    ++histogram.underflow;
  } else if (size >= kernels::log_bin_edge(LogHistogram::kBins)) {
    ++histogram.overflow;
  } else {
    int bin = 0;
    while (size >= kernels::log_bin_edge(bin + 1)) ++bin;
    ++(x < 0 ? histogram.negative : histogram.positive)[bin];
  }
}

bool same(const LogHistogram& a, const LogHistogram& b) {
  return std::memcmp(&a, &b, sizeof(a)) == 0;
}

// Several in a span, one over three spans, one that begins where a span does, an empty one, odd places.
const std::vector<Segment> kSegments = {{3, 5}, {9, 300}, {400, 0}, {500, 70000}, {98304, 1}, {98310, 1000}};
constexpr int64_t kElements = 99500;

template <class T>
void segments() {
  Cpu cpu;
  std::mt19937 random(63);
  const auto x = wild<T>(random, kElements);
  const auto size = static_cast<int64_t>(kSegments.size());
  std::vector<SegmentStats> stats(kSegments.size(), SegmentStats{-1, -1, -1, -1, -1, -1, -1}), alone = stats;
  std::vector<LogHistogram> histograms(kSegments.size());
  for (LogHistogram& histogram : histograms) histogram.negative[3] = histogram.overflow = 77;
  const auto& reduce = kernels::reduce_kernels<T>(Backend::Cpu);
  reduce.segments(cpu.exec, {kElements, kSegments.data(), size}, x.data(), stats.data(), histograms.data());
  reduce.segments(cpu.exec, {kElements, kSegments.data(), size}, x.data(), alone.data(), nullptr);
  for (size_t i = 0; i < kSegments.size(); ++i) {
    CAPTURE(i);
    SegmentStats expected;
    LogHistogram histogram;
    for (int64_t k = kSegments[i].begin; k < kSegments[i].end(); ++k) {
      count(x[static_cast<size_t>(k)], expected, histogram);
    }
    REQUIRE(stats[i].sum_squares == Approx(expected.sum_squares).epsilon(1e-13));
    REQUIRE(stats[i].sum_abs == Approx(expected.sum_abs).epsilon(1e-13));
    REQUIRE(stats[i].max_abs == expected.max_abs);
    REQUIRE(stats[i].nan == expected.nan);
    REQUIRE(stats[i].inf == expected.inf);
    REQUIRE(stats[i].zero == expected.zero);
    REQUIRE(stats[i].subnormal == expected.subnormal);
    REQUIRE(same(histograms[i], histogram));
    REQUIRE(std::memcmp(&alone[i], &stats[i], sizeof(stats[i])) == 0);
  }
}

}  // namespace

TEST_CASE("reduce: segments are the definition's, with and without histograms") {
  segments<float>();
  segments<double>();
}

TEST_CASE("reduce: an edge belongs to the bin above it") {
  Cpu cpu;
  CHECK(kernels::log_bin_edge(0) == std::ldexp(1.0, -60));
  CHECK(kernels::log_bin_edge(1) == std::ldexp(1.5, -60));
  CHECK(kernels::log_bin_edge(LogHistogram::kBins) == std::ldexp(1.0, 20));
  std::vector<float> x;
  for (int bin = 0; bin <= LogHistogram::kBins; ++bin) {
    const auto edge = static_cast<float>(kernels::log_bin_edge(bin));
    x.insert(x.end(), {edge, -edge, -edge, std::nextafter(edge, 0.0f)});
  }
  const Segment whole{0, static_cast<int64_t>(x.size())};
  SegmentStats stats;
  LogHistogram histogram;
  kernels::reduce_kernels<float>(Backend::Cpu)
      .segments(cpu.exec, {whole.count, &whole, 1}, x.data(), &stats, &histogram);
  for (int bin = 0; bin < LogHistogram::kBins; ++bin) {
    CHECK(histogram.positive[bin] == 2);
    CHECK(histogram.negative[bin] == 2);
  }
  CHECK(histogram.underflow == 1);
  CHECK(histogram.overflow == 3);
}

namespace {

template <class T>
void linear_bins() {
  Cpu cpu;
  std::mt19937 random(66);
  auto x = wild<T>(random, kElements);
  for (size_t i = 0; i < x.size(); i += 2) x[i] = static_cast<T>(static_cast<int>(random() % 100) - 50) / 8;
  const kernels::LinearBins bins{.bins = 12, .range = 3};  // edges at multiples of a half, which numbers hit
  const auto size = static_cast<int64_t>(kSegments.size());
  std::vector<uint32_t> counts(kSegments.size() * 14, 5);
  kernels::reduce_kernels<T>(Backend::Cpu)
      .linear(cpu.exec, {kElements, kSegments.data(), size}, x.data(), bins, counts.data());
  for (size_t i = 0; i < kSegments.size(); ++i) {
    CAPTURE(i);
    std::vector<uint32_t> expected(14, 5);
    for (int64_t k = kSegments[i].begin; k < kSegments[i].end(); ++k) {
      const auto value = static_cast<double>(x[static_cast<size_t>(k)]);
      if (std::isnan(value)) continue;
      size_t counter = 0;
      while (counter < 13 && value >= -3 + 0.5 * static_cast<double>(counter)) ++counter;
      ++expected[counter];
    }
    REQUIRE(std::vector(counts.begin() + 14 * static_cast<int64_t>(i),
                        counts.begin() + 14 * static_cast<int64_t>(i + 1)) == expected);
  }
}

}  // namespace

TEST_CASE("reduce: linear bins are the definition's and add to what is there") {
  linear_bins<float>();
  linear_bins<double>();
}

TEST_CASE("reduce: a histogram of equal numbers, of any count") {
  Cpu cpu;
  for (const int64_t count : {1, 2, 3, 4, 5, 32768, 100001}) {
    CAPTURE(count);
    const std::vector<float> x(static_cast<size_t>(count), -1.0f);
    const Segment whole{0, count};
    SegmentStats stats;
    LogHistogram histogram;
    kernels::reduce_kernels<float>(Backend::Cpu)
        .segments(cpu.exec, {count, &whole, 1}, x.data(), &stats, &histogram);
    CHECK(histogram.negative[-2 * LogHistogram::kLowest] == count);
  }
}

TEST_CASE("reduce: segments give the same bits for any number of threads") {
  std::mt19937 random(64);
  const auto x = reals<float>(random, kElements);
  require_same_for_any_threads([&](Cpu& cpu) {
    std::vector<SegmentStats> stats(kSegments.size());
    kernels::reduce_kernels<float>(Backend::Cpu)
        .segments(cpu.exec, {kElements, kSegments.data(), static_cast<int64_t>(kSegments.size())}, x.data(),
                  stats.data(), nullptr);
    return stats;
  });
}
