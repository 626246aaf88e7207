// For every image the slice is one contiguous block of channels * pixels elements in both arrays, so each is
// cut into spans and a task moves one span of one image.
#include "kernels/concat/cpu.h"

#include <algorithm>
#include <cstring>

#include "kernels/base/elementwise.h"

namespace kernels::cpu {

namespace {

/// Calls body(offset in the operand, offset in the whole, elements) for every span.
template <class Body>
void parallel_blocks(const Exec& exec, const ConcatSlice& slice, Body&& body) {
  const int64_t block = slice.channels * slice.pixels;
  const int64_t spans = (block + kSpan - 1) / kSpan;
  exec.threads->parallel_for(slice.N * spans, [&](int64_t task) {
    const int64_t n = task / spans;
    const int64_t begin = task % spans * kSpan;
    const int64_t whole = (n * slice.total + slice.first) * slice.pixels;
    body(n * block + begin, whole + begin, std::min(kSpan, block - begin));
  });
}

}  // namespace

template <class T>
void concat_forward(const Exec& exec, const ConcatSlice& slice, const T* operand, T* whole) {
  parallel_blocks(exec, slice, [=](int64_t from, int64_t to, int64_t count) {
    std::memcpy(whole + to, operand + from, static_cast<size_t>(count) * sizeof(T));
  });
}

template <class T>
void concat_backward(const Exec& exec, const ConcatSlice& slice, const T* d_whole, T* d_operand,
                     GradMode mode) {
  visit_mode(mode, [&](auto add) {
    parallel_blocks(exec, slice, [=](int64_t to, int64_t from, int64_t count) {
      for (int64_t i = 0; i < count; ++i) put<add.value>(d_operand[to + i], d_whole[from + i]);
    });
  });
}

template void concat_forward(const Exec&, const ConcatSlice&, const float*, float*);
template void concat_forward(const Exec&, const ConcatSlice&, const double*, double*);
template void concat_backward(const Exec&, const ConcatSlice&, const float*, float*, GradMode);
template void concat_backward(const Exec&, const ConcatSlice&, const double*, double*, GradMode);

}  // namespace kernels::cpu
