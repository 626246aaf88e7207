// Average pooling. The sum runs over the window's part of the image, row by row in T. The divisor is kernel^2
// in floor mode (padding counts, as PyTorch) and the window cut at the padded image, H + pad, in ceil mode
// (as Caffe, which leaves out what lies beyond the trailing padding but counts the padding itself). Backward:
// a plane is one task and its windows are taken in order, so sums are the same for any thread count.
#include <algorithm>

#include "kernels/base/elementwise.h"
#include "kernels/pool2d/cpu.h"
#include "kernels/pool2d/window.h"

namespace kernels::cpu {

namespace {

/// The length of a window along one axis as the divisor counts it.
int64_t counted(const PoolProblem& problem, int64_t size, const Window& axis) {
  if (problem.rounding == PoolRounding::Floor) return problem.kernel;
  return std::min(axis.origin + problem.kernel, size + problem.pad) - axis.origin;
}

/// Calls body(output index in the plane, rows, columns, divisor) for every window of a plane.
template <class T, class Body>
void for_windows(const PoolProblem& problem, Body&& body) {
  const int64_t P = problem.P(), Q = problem.Q();
  for (int64_t p = 0; p < P; ++p) {
    const Window rows = window(problem, problem.H, p);
    const int64_t height = counted(problem, problem.H, rows);
    for (int64_t q = 0; q < Q; ++q) {
      const Window columns = window(problem, problem.W, q);
      body(p * Q + q, rows, columns, static_cast<T>(height * counted(problem, problem.W, columns)));
    }
  }
}

}  // namespace

template <class T>
void avg_pool_forward(const Exec& exec, const PoolProblem& problem, const T* x, T* y) {
  const int64_t image = problem.H * problem.W, output = problem.P() * problem.Q();
  exec.threads->parallel_for(problem.planes, [&](int64_t i) {
    const T* plane = x + i * image;
    T* out = y + i * output;
    for_windows<T>(problem, [&](int64_t index, const Window& rows, const Window& columns, T divisor) {
      T sum = 0;
      for (int64_t h = rows.begin; h < rows.end; ++h) {
        for (int64_t w = columns.begin; w < columns.end; ++w) sum += plane[h * problem.W + w];
      }
      out[index] = sum / divisor;
    });
  });
}

template <class T>
void avg_pool_backward(const Exec& exec, const PoolProblem& problem, const T* dy, T* dx, GradMode mode) {
  if (mode == GradMode::Ignore) return;
  const int64_t image = problem.H * problem.W, output = problem.P() * problem.Q();
  exec.threads->parallel_for(problem.planes, [&](int64_t i) {
    T* plane = dx + i * image;
    if (mode == GradMode::Overwrite) std::fill(plane, plane + image, T(0));
    for_windows<T>(problem, [&](int64_t index, const Window& rows, const Window& columns, T divisor) {
      const T share = dy[i * output + index] / divisor;
      for (int64_t h = rows.begin; h < rows.end; ++h) {
        for (int64_t w = columns.begin; w < columns.end; ++w) plane[h * problem.W + w] += share;
      }
    });
  });
}

template void avg_pool_forward(const Exec&, const PoolProblem&, const float*, float*);
template void avg_pool_forward(const Exec&, const PoolProblem&, const double*, double*);
template void avg_pool_backward(const Exec&, const PoolProblem&, const float*, float*, GradMode);
template void avg_pool_backward(const Exec&, const PoolProblem&, const double*, double*, GradMode);

}  // namespace kernels::cpu
