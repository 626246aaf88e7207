// One SegmentStats per span and segment, joined in order. Within a span eight lanes run side by side, all in
// double, so that a compiler can hold them in vector registers of one shape. They take every number as finite
// and normal, as nearly all are; a span whose sum or smallest number says otherwise is looked through once
// more, in the cache.
#include "kernels/reduce/cpu.h"

#include <algorithm>
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

/// Of finite numbers: where there are others `sizes` becomes infinite or NaN.
struct Lanes {
  double squares[kLanes] = {}, sizes[kLanes] = {}, largest[kLanes] = {}, smallest[kLanes];

  Lanes() { std::fill_n(smallest, kLanes, std::numeric_limits<double>::infinity()); }

  template <class T>
  void add(int lane, T x) {
    const double size = std::fabs(static_cast<double>(x));
    squares[lane] += size * size;
    sizes[lane] += size;
    largest[lane] = size > largest[lane] ? size : largest[lane];
    smallest[lane] = size < smallest[lane] ? size : smallest[lane];
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

/// Leaves out what is not finite, with a test for each element.
template <class T>
void drop_non_finite(int64_t count, const T* x, Lanes& lanes) {
  lanes = {};
  for (int64_t i = 0; i < count; ++i) {
    lanes.add(static_cast<int>(i % kLanes), std::isfinite(x[i]) ? x[i] : T(0));
  }
}

template <class T>
SegmentStats stats_of(Lanes lanes, int64_t count, const T* x) {
  double sizes = 0;
  for (const double size : lanes.sizes) sizes += size;
  const bool finite = std::isfinite(sizes);
  if (!finite) drop_non_finite(count, x, lanes);
  SegmentStats stats;
  double smallest = std::numeric_limits<double>::infinity();
  for (int lane = 0; lane < kLanes; ++lane) {
    stats.sum_squares += lanes.squares[lane];
    stats.sum_abs += lanes.sizes[lane];
    stats.max_abs = std::max(stats.max_abs, lanes.largest[lane]);
    smallest = std::min(smallest, lanes.smallest[lane]);
  }
  if (!finite || smallest < static_cast<double>(std::numeric_limits<T>::min())) classify(count, x, stats);
  return stats;
}

/// Calls also(i) for every element.
template <class T, class Also>
SegmentStats span_stats(int64_t count, const T* x, Also also) {
  Lanes lanes;
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) lanes.add(lane, x[i + lane]);
    for (int lane = 0; lane < kLanes; ++lane) also(i + lane);
  }
  for (int lane = 0; i < count; ++i, ++lane) {
    lanes.add(lane, x[i]);
    also(i);
  }
  return stats_of(lanes, count, x);
}

/// Statistics and counts by sign, exponent and top bit of the mantissa, which are a number's highest bits.
/// Neighbours often fall into one bin, so four tables take turns: a counter's next addition would wait for
/// its last one.
template <class T>
SegmentStats count_magnitudes(int64_t count, const T* x, LogHistogram& histogram) {
  using Format = FloatFormat<T>;
  using Bits = typename Format::Bits;
  constexpr int kShift = Format::kMantissa - 1;
  constexpr size_t kRows = size_t{1} << (8 * sizeof(T) - kShift), kTables = 4;
  std::vector<uint32_t> tables(kTables * kRows);
  uint32_t* const first = tables.data();
  const SegmentStats stats = span_stats(count, x, [=](int64_t i) {
    const auto row = static_cast<size_t>(std::bit_cast<Bits>(x[i]) >> kShift);
    ++first[static_cast<size_t>(i) % kTables * kRows + row];
  });
  for (size_t row = 0; row < kRows; ++row) {
    const auto bits = static_cast<Bits>(static_cast<Bits>(row) << kShift);
    const auto magnitude = bits & Format::kMagnitude;
    // Each row holds numbers of one kind; SegmentStats has zeros and subnormals, infinities and NaN.
    if (magnitude < Format::kSmallestNormal || magnitude >= Format::kInfinity) continue;
    uint32_t sum = 0;
    for (size_t table = 0; table < kTables; ++table) sum += first[table * kRows + row];
    if (sum > 0) *counter_of<T>(histogram, bits) += sum;
  }
  return stats;
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
                   parts[place] = histograms == nullptr
                                      ? span_stats(to - from, x + from, [](int64_t) {})
                                      : count_magnitudes(to - from, x + from, part_histograms[place]);
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
