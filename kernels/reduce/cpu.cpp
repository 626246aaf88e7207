// One ArrayStats per span, joined in order. Within a span eight lanes run side by side, all in double (also
// the count, which stays far below 2^53), so that a compiler can hold them in vector registers of one shape.
#include "kernels/reduce/cpu.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/base/elementwise.h"

namespace kernels::cpu {

namespace {

constexpr int kLanes = 8;

struct Lanes {
  double sum[kLanes] = {}, largest[kLanes] = {}, bad[kLanes] = {};

  template <class T>
  void add(int lane, T x) {
    const double size = std::fabs(static_cast<double>(x));
    const bool finite = size <= std::numeric_limits<double>::max();  // false for NaN too
    const double value = finite ? size : 0;
    sum[lane] += value * value;
    largest[lane] = value > largest[lane] ? value : largest[lane];
    bad[lane] += finite ? 0.0 : 1.0;
  }
};

template <class T>
ArrayStats span_stats(int64_t count, const T* x) {
  Lanes lanes;
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) lanes.add(lane, x[i + lane]);
  }
  for (int lane = 0; i < count; ++i, ++lane) lanes.add(lane, x[i]);
  ArrayStats stats;
  for (int lane = 0; lane < kLanes; ++lane) {
    stats.sum_squares += lanes.sum[lane];
    stats.max_abs = std::max(stats.max_abs, lanes.largest[lane]);
    stats.non_finite += static_cast<int64_t>(lanes.bad[lane]);
  }
  return stats;
}

}  // namespace

template <class T>
void reduce_stats(const Exec& exec, int64_t count, const T* x, ArrayStats* stats) {
  std::vector<ArrayStats> parts(static_cast<size_t>((count + kSpan - 1) / kSpan));
  parallel_spans(exec, count, [&](int64_t begin, int64_t end) {
    parts[static_cast<size_t>(begin / kSpan)] = span_stats(end - begin, x + begin);
  });
  ArrayStats total;
  for (const ArrayStats& part : parts) {
    total.sum_squares += part.sum_squares;
    total.max_abs = std::max(total.max_abs, part.max_abs);
    total.non_finite += part.non_finite;
  }
  *stats = total;
}

template void reduce_stats(const Exec&, int64_t, const float*, ArrayStats*);
template void reduce_stats(const Exec&, int64_t, const double*, ArrayStats*);

}  // namespace kernels::cpu
