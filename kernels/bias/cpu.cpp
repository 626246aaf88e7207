// One task per output channel k: db[k] = sum over n of the sum of map (n, k), each in double and in order.
#include "kernels/bias/cpu.h"

#include "kernels/base/elementwise.h"

namespace kernels::cpu {

template <class T>
void bias_backward(const Exec& exec, const BiasProblem& problem, const T* dy, T* db, GradMode mode) {
  visit_mode(mode, [&](auto add) {
    exec.threads->parallel_for(problem.K, [&](int64_t k) {
      double sum = 0;
      for (int64_t n = 0; n < problem.N; ++n) {
        const T* map = dy + (n * problem.K + k) * problem.pixels;
        sum += lane_sum(problem.pixels, [map](int64_t i) { return static_cast<double>(map[i]); });
      }
      put<add.value>(db[k], static_cast<T>(sum));
    });
  });
}

template void bias_backward(const Exec&, const BiasProblem&, const float*, float*, GradMode);
template void bias_backward(const Exec&, const BiasProblem&, const double*, double*, GradMode);

}  // namespace kernels::cpu
