// One SegmentStats per span and segment, joined in order. Within a span eight lanes run side by side, all in
// double (also the count, which stays far below 2^53), so that a compiler can hold them in vector registers
// of one shape. Zeros, subnormals, infinities and NaN are rare: the lanes only count them together, and a
// span that has any is looked through once more, in the cache.
#include "kernels/reduce/cpu.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/base/elementwise.h"
#include "kernels/reduce/bins.h"

namespace kernels::cpu {

namespace {

constexpr int kLanes = 8;

struct Lanes {
  double squares[kLanes] = {}, sizes[kLanes] = {}, largest[kLanes] = {}, rare[kLanes] = {};

  template <class T>
  void add(int lane, T x) {
    const double size = std::fabs(static_cast<double>(x));
    const bool finite = size <= std::numeric_limits<double>::max();  // false for NaN too
    const bool normal = finite && size >= static_cast<double>(std::numeric_limits<T>::min());
    const double value = finite ? size : 0;
    squares[lane] += value * value;
    sizes[lane] += value;
    largest[lane] = value > largest[lane] ? value : largest[lane];
    rare[lane] += normal ? 0.0 : 1.0;
  }
};

template <class T>
void classify(int64_t count, const T* x, SegmentStats& stats) {
  for (int64_t i = 0; i < count; ++i) {
    const int kind = std::fpclassify(x[i]);
    stats.nan += kind == FP_NAN;
    stats.inf += kind == FP_INFINITE;
    stats.zero += kind == FP_ZERO;
    stats.subnormal += kind == FP_SUBNORMAL;
  }
}

template <class T>
SegmentStats span_stats(int64_t count, const T* x) {
  Lanes lanes;
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) lanes.add(lane, x[i + lane]);
  }
  for (int lane = 0; i < count; ++i, ++lane) lanes.add(lane, x[i]);
  SegmentStats stats;
  double rare = 0;
  for (int lane = 0; lane < kLanes; ++lane) {
    stats.sum_squares += lanes.squares[lane];
    stats.sum_abs += lanes.sizes[lane];
    stats.max_abs = std::max(stats.max_abs, lanes.largest[lane]);
    rare += lanes.rare[lane];
  }
  if (rare > 0) classify(count, x, stats);
  return stats;
}

/// Counts by sign, exponent and top bit of the mantissa, which are a number's highest bits. Neighbours often
/// fall into one bin, so four tables take turns: a counter's next addition would wait for its last one.
template <class T>
void count_magnitudes(int64_t count, const T* x, LogHistogram& histogram) {
  using Format = FloatFormat<T>;
  constexpr int kShift = Format::kMantissa - 1;
  constexpr size_t kRows = size_t{1} << (8 * sizeof(T) - kShift), kTables = 4;
  std::array<std::vector<uint32_t>, kTables> tables;
  for (std::vector<uint32_t>& table : tables) table.resize(kRows);
  const auto row = [&](int64_t i) {
    return static_cast<size_t>(std::bit_cast<typename Format::Bits>(x[i]) >> kShift);
  };
  uint32_t* const first[kTables] = {tables[0].data(), tables[1].data(), tables[2].data(), tables[3].data()};
  int64_t i = 0;
  for (; i + 4 <= count; i += 4) {
    ++first[0][row(i)];
    ++first[1][row(i + 1)];
    ++first[2][row(i + 2)];
    ++first[3][row(i + 3)];
  }
  for (; i < count; ++i) ++first[0][row(i)];
  for (size_t r = 0; r < kRows; ++r) {
    const auto bits = static_cast<typename Format::Bits>(static_cast<typename Format::Bits>(r) << kShift);
    const auto magnitude = bits & Format::kMagnitude;
    // Each row holds numbers of one kind; SegmentStats has zeros and subnormals, infinities and NaN.
    if (magnitude < Format::kSmallestNormal || magnitude >= Format::kInfinity) continue;
    const uint32_t sum = tables[0][r] + tables[1][r] + tables[2][r] + tables[3][r];
    if (sum > 0) *counter_of<T>(histogram, bits) += sum;
  }
}

void join(SegmentStats& total, const SegmentStats& part) {
  total.sum_squares += part.sum_squares;
  total.sum_abs += part.sum_abs;
  total.max_abs = std::max(total.max_abs, part.max_abs);
  total.nan += part.nan;
  total.inf += part.inf;
  total.zero += part.zero;
  total.subnormal += part.subnormal;
}

void join(LogHistogram& total, const LogHistogram& part) {
  for (int bin = 0; bin < LogHistogram::kBins; ++bin) {
    total.negative[bin] += part.negative[bin];
    total.positive[bin] += part.positive[bin];
  }
  total.underflow += part.underflow;
  total.overflow += part.overflow;
}

/// Parts of segment `index` lie side by side: along the buffer either the span or the segment moves on, so
/// span + index is a place of its own for each pair that meets.
template <class Part>
Part joined(const std::vector<Part>& parts, const Segment& segment, int64_t index) {
  Part total;
  if (segment.count == 0) return total;
  for (int64_t span = segment.begin / kSpan; span <= (segment.end() - 1) / kSpan; ++span) {
    join(total, parts[static_cast<size_t>(span + index)]);
  }
  return total;
}

}  // namespace

template <class T>
void reduce_segments(const Exec& exec, const SegmentedArray& array, const T* x, SegmentStats* stats,
                     LogHistogram* histograms) {
  const auto places = static_cast<size_t>((array.elements + kSpan - 1) / kSpan + array.count);
  std::vector<SegmentStats> parts(places);
  std::vector<LogHistogram> part_histograms(histograms == nullptr ? 0 : places);
  parallel_spans(exec, array.elements, [&](int64_t begin, int64_t end) {
    const int64_t first = first_segment(array.segments, array.count, begin);
    for_segments(array.segments, array.count, first, {begin, end - begin},
                 [&](int64_t index, const Segment&, int64_t from, int64_t to) {
                   const auto place = static_cast<size_t>(begin / kSpan + index);
                   parts[place] = span_stats(to - from, x + from);
                   // The span is in the cache by now.
                   if (histograms != nullptr) count_magnitudes(to - from, x + from, part_histograms[place]);
                 });
  });
  for (int64_t i = 0; i < array.count; ++i) {
    stats[i] = joined(parts, array.segments[i], i);
    if (histograms != nullptr) histograms[i] = joined(part_histograms, array.segments[i], i);
  }
}

template <class T>
void reduce_stats(const Exec& exec, int64_t count, const T* x, ArrayStats* stats) {
  const Segment whole{0, count};
  SegmentStats all;
  reduce_segments(exec, {count, &whole, 1}, x, &all, nullptr);
  *stats = {all.sum_squares, all.max_abs, all.nan + all.inf};
}

template <class T>
void reduce_linear(const Exec& exec, const SegmentedArray& array, const T* x, const LinearBins& bins,
                   uint32_t* counts) {
  const int64_t counters = bins.counters();
  parallel_spans(exec, array.elements, [&](int64_t begin, int64_t end) {
    std::vector<uint32_t> own(static_cast<size_t>(counters));
    const int64_t first = first_segment(array.segments, array.count, begin);
    for_segments(array.segments, array.count, first, {begin, end - begin},
                 [&](int64_t index, const Segment&, int64_t from, int64_t to) {
                   std::fill(own.begin(), own.end(), 0U);
                   for (int64_t i = from; i < to; ++i) {
                     const int counter = bins.counter_of(static_cast<double>(x[i]));
                     if (counter >= 0) ++own[static_cast<size_t>(counter)];
                   }
                   for (int64_t k = 0; k < counters; ++k) {
                     const uint32_t count = own[static_cast<size_t>(k)];
                     std::atomic_ref<uint32_t> total(counts[index * counters + k]);
                     if (count > 0) total.fetch_add(count, std::memory_order_relaxed);
                   }
                 });
  });
}

size_t reduce_workspace(int64_t, int64_t, bool) {
  return 0;
}

template void reduce_stats(const Exec&, int64_t, const float*, ArrayStats*);
template void reduce_stats(const Exec&, int64_t, const double*, ArrayStats*);
template void reduce_segments(const Exec&, const SegmentedArray&, const float*, SegmentStats*, LogHistogram*);
template void reduce_segments(const Exec&, const SegmentedArray&, const double*, SegmentStats*,
                              LogHistogram*);
template void reduce_linear(const Exec&, const SegmentedArray&, const float*, const LinearBins&, uint32_t*);
template void reduce_linear(const Exec&, const SegmentedArray&, const double*, const LinearBins&, uint32_t*);

}  // namespace kernels::cpu
