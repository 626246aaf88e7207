// One task per output channel k: db[k] = sum over n of the sum of map (n, k), each in double and in order.
// Fused with ReLU, a map is masked just before it is summed and comes from cache.
#include "kernels/bias/cpu.h"

#include "kernels/base/elementwise.h"

namespace kernels::cpu {

namespace {

template <class T>
double map_sum(int64_t pixels, const T* map) {
  return lane_sum(pixels, [map](int64_t i) { return static_cast<double>(map[i]); });
}

}  // namespace

template <class T>
void bias_backward(const Exec& exec, const BiasProblem& problem, const T* dy, T* db, GradMode mode) {
  visit_mode(mode, [&](auto add) {
    exec.threads->parallel_for(problem.K, [&](int64_t k) {
      double sum = 0;
      for (int64_t n = 0; n < problem.N; ++n) {
        sum += map_sum(problem.pixels, dy + (n * problem.K + k) * problem.pixels);
      }
      put<add.value>(db[k], static_cast<T>(sum));
    });
  });
}

template <class T>
void bias_relu_backward(const Exec& exec, const BiasProblem& problem, const T* y, T* dy, T* db,
                        GradMode mode) {
  exec.threads->parallel_for(problem.K, [&](int64_t k) {
    double sum = 0;
    for (int64_t n = 0; n < problem.N; ++n) {
      const int64_t begin = (n * problem.K + k) * problem.pixels;
      const T* output = y + begin;
      T* dz = dy + begin;
      for (int64_t i = 0; i < problem.pixels; ++i) dz[i] = output[i] > T(0) ? dz[i] : T(0);
      if (mode != GradMode::Ignore) sum += map_sum(problem.pixels, dz);
    }
    visit_mode(mode, [&](auto add) { put<add.value>(db[k], static_cast<T>(sum)); });
  });
}

template void bias_backward(const Exec&, const BiasProblem&, const float*, float*, GradMode);
template void bias_backward(const Exec&, const BiasProblem&, const double*, double*, GradMode);
template void bias_relu_backward(const Exec&, const BiasProblem&, const float*, float*, float*, GradMode);
template void bias_relu_backward(const Exec&, const BiasProblem&, const double*, double*, double*, GradMode);

}  // namespace kernels::cpu
