// y = value; y = x, copied as bytes so that every NaN keeps its payload; y += x. Spans of the flat arrays run
// in parallel.
#include "kernels/copy/cpu.h"

#include <algorithm>
#include <cstring>

#include "kernels/base/elementwise.h"

namespace kernels::cpu {

template <class T>
void fill(const Exec& exec, int64_t count, T value, T* y) {
  parallel_spans(exec, count, [=](int64_t begin, int64_t end) { std::fill(y + begin, y + end, value); });
}

template <class T>
void copy(const Exec& exec, int64_t count, const T* x, T* y, GradMode mode) {
  visit_mode(mode, [&](auto add) {
    parallel_spans(exec, count, [=](int64_t begin, int64_t end) {
      if constexpr (add.value) {
        for (int64_t i = begin; i < end; ++i) y[i] += x[i];
      } else {
        std::memcpy(y + begin, x + begin, static_cast<size_t>(end - begin) * sizeof(T));
      }
    });
  });
}

template void fill(const Exec&, int64_t, float, float*);
template void fill(const Exec&, int64_t, double, double*);
template void copy(const Exec&, int64_t, const float*, float*, GradMode);
template void copy(const Exec&, int64_t, const double*, double*, GradMode);

}  // namespace kernels::cpu
