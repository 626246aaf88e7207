// One load and one store per array: bound by memory, so a span does all the work on it in one pass.
#include "kernels/optim/cpu.h"

#include <algorithm>
#include <tuple>
#include <vector>

#include "kernels/base/elementwise.h"
#include "kernels/optim/update.h"

namespace kernels::cpu {

namespace {

/// The arrays do not overlap, which `__restrict__` says to the vectoriser; the step is a copy so that no
/// store can change it.
template <class S, class T, class... State>
void update_span(const S step, int64_t count, const T* __restrict__ g, State* __restrict__... state) {
  for (int64_t i = 0; i < count; ++i) update(step, g[i], state[i]...);
}

/// Eight running sums of each, added in order at the end: a single one would wait for the adder at every
/// element.
template <class T>
void add_change(int64_t count, const T* before, const T* after, UpdateSums* sums) {
  constexpr int kLanes = 8;
  double changes[kLanes] = {}, weights[kLanes] = {};
  const auto add = [&](int lane, int64_t i) {
    const auto weight = static_cast<double>(before[i]), change = static_cast<double>(after[i]) - weight;
    changes[lane] += change * change;
    weights[lane] += weight * weight;
  };
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) add(lane, i + lane);
  }
  for (int lane = 0; i < count; ++i, ++lane) add(lane, i);
  for (int lane = 0; lane < kLanes; ++lane) {
    sums->change += changes[lane];
    sums->weight += weights[lane];
  }
}

/// The same in blocks that stay in the first cache, with what it does to w, the last of the state.
template <class S, class T, class... State>
UpdateSums measured_update(const S& step, int64_t count, const T* g, State*... state) {
  constexpr int64_t kBlock = 256;
  T before[kBlock];
  UpdateSums sums;
  for (int64_t i = 0; i < count; i += kBlock) {
    const int64_t size = std::min(kBlock, count - i);
    const T* w = std::get<sizeof...(State) - 1>(std::tuple(state...)) + i;
    std::copy_n(w, size, before);
    update_span(step, size, g + i, (state + i)...);
    add_change(size, before, w, &sums);
  }
  return sums;
}

template <class S, class T, class... State>
void update_all(const Exec& exec, SegmentTable<S> table, const OptimArrays<T>& arrays, State*... state) {
  const int64_t spans = (arrays.count + kSpan - 1) / kSpan;
  // Along the buffer either the span or the segment moves on, so span + index is a place for each that meet.
  std::vector<UpdateSums> parts(arrays.sums == nullptr ? 0 : static_cast<size_t>(spans + table.count));
  parallel_spans(exec, arrays.count, [&](int64_t begin, int64_t end) {
    const int64_t first = first_segment(table.segments, table.count, begin);
    for_segments(table.segments, table.count, first, {begin, end - begin},
                 [&](int64_t index, const S& step, int64_t from, int64_t to) {
                   if (parts.empty()) {
                     update_span(step, to - from, arrays.g + from, (state + from)...);
                   } else {
                     parts[static_cast<size_t>(begin / kSpan + index)] =
                         measured_update(step, to - from, arrays.g + from, (state + from)...);
                   }
                 });
  });
  if (arrays.sums == nullptr) return;
  for (int64_t i = 0; i < table.count; ++i) {
    const Segment& segment = table.segments[i];
    UpdateSums total;
    for (int64_t span = segment.begin / kSpan; segment.count > 0 && span <= (segment.end() - 1) / kSpan;
         ++span) {
      total.change += parts[static_cast<size_t>(span + i)].change;
      total.weight += parts[static_cast<size_t>(span + i)].weight;
    }
    arrays.sums[i] = total;
  }
}

}  // namespace

template <class T>
void sgd(const Exec& exec, SegmentTable<SgdSegment<T>> table, const OptimArrays<T>& arrays) {
  if (arrays.m == nullptr) {
    update_all(exec, table, arrays, arrays.w);
  } else {
    update_all(exec, table, arrays, arrays.m, arrays.w);
  }
}

template <class T>
void adam(const Exec& exec, SegmentTable<AdamSegment<T>> table, const OptimArrays<T>& arrays) {
  update_all(exec, table, arrays, arrays.m, arrays.v, arrays.w);
}

size_t optim_workspace(int64_t, int64_t) {
  return 0;
}

template void sgd(const Exec&, SegmentTable<SgdSegment<float>>, const OptimArrays<float>&);
template void sgd(const Exec&, SegmentTable<SgdSegment<double>>, const OptimArrays<double>&);
template void adam(const Exec&, SegmentTable<AdamSegment<float>>, const OptimArrays<float>&);
template void adam(const Exec&, SegmentTable<AdamSegment<double>>, const OptimArrays<double>&);

}  // namespace kernels::cpu
