// One task per map. Forward keeps one double per map and adds them in order afterwards. A map whose mask is 0
// is not read at all, so what it holds (NaN included) changes neither the loss nor the gradient, which is 0
// there.
#include "kernels/mse/cpu.h"

#include <vector>

#include "kernels/base/elementwise.h"

namespace kernels::cpu {

namespace {

template <class T>
double map_weight(const MseOperands<T>& operands, int64_t map) {
  return operands.mask == nullptr ? 1.0 : static_cast<double>(operands.mask[map]);
}

}  // namespace

template <class T>
void mse_forward(const Exec& exec, const MseOperands<T>& operands, double scale, double* loss) {
  std::vector<double> sums(static_cast<size_t>(operands.maps));
  exec.threads->parallel_for(operands.maps, [&](int64_t map) {
    const double weight = map_weight(operands, map);
    if (weight == 0) return;
    const T* y = operands.y + map * operands.pixels;
    const T* target = operands.target + map * operands.pixels;
    sums[static_cast<size_t>(map)] = weight * lane_sum(operands.pixels, [=](int64_t i) {
                                       const double difference =
                                           static_cast<double>(y[i]) - static_cast<double>(target[i]);
                                       return difference * difference;
                                     });
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  *loss = scale * total;
}

template <class T>
void mse_backward(const Exec& exec, const MseOperands<T>& operands, double scale, T* dy, GradMode mode) {
  visit_mode(mode, [&](auto add) {
    exec.threads->parallel_for(operands.maps, [&](int64_t map) {
      const int64_t begin = map * operands.pixels, end = begin + operands.pixels;
      const double weight = map_weight(operands, map);
      if (weight == 0) {
        for (int64_t i = begin; i < end; ++i) put<add.value>(dy[i], T(0));
        return;
      }
      const T factor = static_cast<T>(2 * scale * weight);
      const T* y = operands.y;
      const T* target = operands.target;
      for (int64_t i = begin; i < end; ++i) put<add.value>(dy[i], factor * (y[i] - target[i]));
    });
  });
}

template void mse_forward(const Exec&, const MseOperands<float>&, double, double*);
template void mse_forward(const Exec&, const MseOperands<double>&, double, double*);
template void mse_backward(const Exec&, const MseOperands<float>&, double, float*, GradMode);
template void mse_backward(const Exec&, const MseOperands<double>&, double, double*, GradMode);

}  // namespace kernels::cpu
