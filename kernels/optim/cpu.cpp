// One load and one store per array: bound by memory, so a span does all the work on it in one pass.
#include "kernels/optim/cpu.h"

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

template <class S, class T, class... State>
void update_all(const Exec& exec, SegmentTable<S> table, int64_t count, const T* g, State*... state) {
  parallel_spans(exec, count, [=](int64_t begin, int64_t end) {
    const int64_t first = first_segment(table.segments, table.count, begin);
    for_segments(table.segments, table.count, first, {begin, end - begin},
                 [=](int64_t, const S& step, int64_t from, int64_t to) {
                   update_span(step, to - from, g + from, (state + from)...);
                 });
  });
}

}  // namespace

template <class T>
void sgd(const Exec& exec, SegmentTable<SgdSegment<T>> table, const OptimArrays<T>& arrays) {
  if (arrays.m == nullptr) {
    update_all(exec, table, arrays.count, arrays.g, arrays.w);
  } else {
    update_all(exec, table, arrays.count, arrays.g, arrays.m, arrays.w);
  }
}

template <class T>
void adam(const Exec& exec, SegmentTable<AdamSegment<T>> table, const OptimArrays<T>& arrays) {
  update_all(exec, table, arrays.count, arrays.g, arrays.m, arrays.v, arrays.w);
}

template void sgd(const Exec&, SegmentTable<SgdSegment<float>>, const OptimArrays<float>&);
template void sgd(const Exec&, SegmentTable<SgdSegment<double>>, const OptimArrays<double>&);
template void adam(const Exec&, SegmentTable<AdamSegment<float>>, const OptimArrays<float>&);
template void adam(const Exec&, SegmentTable<AdamSegment<double>>, const OptimArrays<double>&);

}  // namespace kernels::cpu
