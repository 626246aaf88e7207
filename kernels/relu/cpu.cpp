// y = x < 0 ? 0 : x, a comparison that is false for NaN and -0 and so keeps both, as PyTorch does.
// dx = y > 0 ? dy : 0. Written as selections, which compilers turn into vector masks; in place is safe
// because every element is read before it is written and no element reads another.
#include "kernels/relu/cpu.h"

#include "kernels/base/elementwise.h"

namespace kernels::cpu {

template <class T>
void relu_forward(const Exec& exec, int64_t count, const T* x, T* y) {
  parallel_spans(exec, count, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) y[i] = x[i] < T(0) ? T(0) : x[i];
  });
}

template <class T>
void relu_backward(const Exec& exec, int64_t count, const T* y, const T* dy, T* dx, GradMode mode) {
  visit_mode(mode, [&](auto add) {
    parallel_spans(exec, count, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const T gradient = dy[i];  // loaded whatever y is: a conditional load would not become a vector load
        put<add.value>(dx[i], y[i] > T(0) ? gradient : T(0));
      }
    });
  });
}

template void relu_forward(const Exec&, int64_t, const float*, float*);
template void relu_forward(const Exec&, int64_t, const double*, double*);
template void relu_backward(const Exec&, int64_t, const float*, const float*, float*, GradMode);
template void relu_backward(const Exec&, int64_t, const double*, const double*, double*, GradMode);

}  // namespace kernels::cpu
