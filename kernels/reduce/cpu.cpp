// One SegmentStats per span and segment, joined in order. Within a span eight lanes run side by side, all in
// double (also the count, which stays far below 2^53), so that a compiler can hold them in vector registers
// of one shape. Zeros, subnormals, infinities and NaN are rare: the lanes only count them together, and a
// span that has any is looked through once more, in the cache.
#include "kernels/reduce/cpu.h"

#include <algorithm>
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

template <class T>
void count_magnitudes(int64_t count, const T* x, LogHistogram& histogram) {
  using Format = FloatFormat<T>;
  for (int64_t i = 0; i < count; ++i) {
    const auto bits = std::bit_cast<typename Format::Bits>(x[i]);
    const auto magnitude = bits & Format::kMagnitude;
    if (magnitude >= Format::kSmallestNormal && magnitude < Format::kInfinity) {
      ++*counter_of<T>(histogram, bits);
    }
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

size_t reduce_workspace(int64_t, int64_t, bool) {
  return 0;
}

template void reduce_stats(const Exec&, int64_t, const float*, ArrayStats*);
template void reduce_stats(const Exec&, int64_t, const double*, ArrayStats*);
template void reduce_segments(const Exec&, const SegmentedArray&, const float*, SegmentStats*, LogHistogram*);
template void reduce_segments(const Exec&, const SegmentedArray&, const double*, SegmentStats*,
                              LogHistogram*);

}  // namespace kernels::cpu
