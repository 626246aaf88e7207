// Max pooling. Forward runs in two passes that share work between windows that overlap: the maximum of every
// image row's windows (with its column s), then the maximum over the rows of a window. Both take the first of
// equal values and the last NaN, so together they take what a row-major scan of the window would. A plane is
// done in strips of 256 output columns, whose row maxima stay in a ring on the stack (cache level 1). The
// network's 3x3 windows of stride 2 have a vector path of their own. Comparisons alone: any instruction set
// gives the same bits. Backward: a plane is one task and its windows are taken in order, so sums are the same
// for any thread count. Behind a ReLU a plane passes through a buffer of a plane, which stays in cache.
#include <algorithm>
#include <array>
#include <vector>

#include "kernels/base/elementwise.h"
#include "kernels/pool2d/cpu.h"
#include "kernels/pool2d/max_rows.h"
#include "kernels/pool2d/window.h"

namespace kernels::cpu {

namespace {

constexpr int64_t kLargestKernel = 15;
constexpr int64_t kLargestVector = 8;  // elements

/// Output columns [begin, end), at most a strip's.
struct Columns {
  int64_t begin, end;
};

/// The windows of one image row; zeros behind them fill up the strip's last vector.
template <class T>
void row_maxima(const MaxRows<T>& rows, const PoolProblem& problem, const T* row, Columns range,
                Strip<T>& out) {
  const auto [begin, end] = range;
  const auto any_window = [&, first = range.begin](int64_t q) {  // also one that the row's ends cut
    const Window columns = window(problem, problem.W, q);
    rows.window(row + columns.begin, columns.end - columns.begin,
                static_cast<T>(columns.begin - columns.origin), out.value[q - first], out.place[q - first]);
  };
  int64_t q = begin;
  if (problem.kernel == 3 && problem.stride == 2) {
    for (; q < end && 2 * q < problem.pad; ++q) any_window(q);
    const int64_t inner = std::min(end, (problem.W + problem.pad - problem.kernel) / 2 + 1) - q;
    if (rows.maxima_3_2(row + 2 * q - problem.pad, inner, out.value + (q - begin), out.place + (q - begin)))
      q += inner;
  }
  for (; q < end; ++q) any_window(q);
  for (; (q - begin) % kLargestVector != 0; ++q) out.value[q - begin] = out.place[q - begin] = 0;
}

template <class T>
void max_plane(const MaxRows<T>& rows, const PoolProblem& problem, const T* x, T* y, uint8_t* argmax) {
  const int64_t P = problem.P(), Q = problem.Q();
  std::array<Strip<T>, kLargestKernel> ring;
  Strip<T> best;
  std::array<const Strip<T>*, kLargestKernel> used;
  for (int64_t begin = 0; begin < Q; begin += kStrip) {
    const int64_t count = std::min(kStrip, Q - begin);
    int64_t done = 0;  // image rows above this one are in the ring, as far as a window still needs them
    for (int64_t p = 0; p < P; ++p) {
      const Window span = window(problem, problem.H, p);
      for (int64_t h = span.begin; h < span.end; ++h) {
        Strip<T>& strip = ring[static_cast<size_t>(h % problem.kernel)];
        if (h >= done) row_maxima(rows, problem, x + h * problem.W, {begin, begin + count}, strip);
        used[static_cast<size_t>(h - span.begin)] = &strip;
      }
      done = span.end;
      rows.join(used.data(), {problem.kernel, span.begin - span.origin, span.end - span.begin}, count, best);
      const int64_t to = p * Q + begin;
      std::copy_n(best.value, count, y + to);
      for (int64_t q = 0; q < count; ++q)
        argmax[to + q] = static_cast<uint8_t>(static_cast<int>(best.place[q]));
    }
  }
}

/// Runs max_plane on the planes that plane_of(i) gives.
template <class T, class PlaneOf>
void max_planes(const Exec& exec, const PoolProblem& problem, T* y, uint8_t* argmax, PlaneOf plane_of) {
  const int64_t output = problem.P() * problem.Q();
  const MaxRows<T>& rows = exec.isa >= Isa::Avx2 ? max_rows_avx2<T>() : max_rows_portable<T>();
  exec.threads->parallel_for(problem.planes, [&](int64_t i) {
    const auto plane = plane_of(i);
    max_plane(rows, problem, &plane[0], y + i * output, argmax + i * output);
  });
}

/// Adds gradient(index of an output) to the pixel that argmax names, for every output of planes in turn.
class Scatter {
 public:
  explicit Scatter(const PoolProblem& problem) : problem_(problem), P_(problem.P()), Q_(problem.Q()) {
    for (int64_t place = 0; place < problem.kernel * problem.kernel; ++place) {
      offset_[static_cast<size_t>(place)] = place / problem.kernel * problem.W + place % problem.kernel;
    }
  }

  template <class T, class Gradient>
  void plane(int64_t i, const uint8_t* argmax, T* d_plane, Gradient gradient) const {
    for (int64_t p = 0; p < P_; ++p) {
      const int64_t row = (i * P_ + p) * Q_;
      const int64_t origin = (p * problem_.stride - problem_.pad) * problem_.W - problem_.pad;
      for (int64_t q = 0; q < Q_; ++q) {
        d_plane[origin + q * problem_.stride + offset_[argmax[row + q]]] += gradient(row + q);
      }
    }
  }

 private:
  const PoolProblem& problem_;
  int64_t P_, Q_;
  std::array<int64_t, 256> offset_ = {};  // of every place in a window, from the window's origin
};

}  // namespace

template <class T>
void max_pool_forward(const Exec& exec, const PoolProblem& problem, const T* x, T* y, uint8_t* argmax) {
  const int64_t image = problem.H * problem.W;
  max_planes(exec, problem, y, argmax, [&](int64_t i) { return x + i * image; });
}

template <class T>
void max_pool_backward(const Exec& exec, const PoolProblem& problem, const T* dy, const uint8_t* argmax,
                       T* dx, GradMode mode) {
  if (mode == GradMode::Ignore) return;
  const int64_t image = problem.H * problem.W;
  const Scatter scatter(problem);
  exec.threads->parallel_for(problem.planes, [&](int64_t i) {
    T* d_plane = dx + i * image;
    if (mode == GradMode::Overwrite) std::fill(d_plane, d_plane + image, T(0));
    scatter.plane(i, argmax, d_plane, [&](int64_t out) { return dy[out]; });
  });
}

template <class T>
void relu_max_pool_forward(const Exec& exec, const PoolProblem& problem, const T* x, T* y, uint8_t* argmax) {
  const int64_t image = problem.H * problem.W;
  max_planes(exec, problem, y, argmax, [&](int64_t i) {
    std::vector<T> plane(x + i * image, x + (i + 1) * image);
    for (T& value : plane) value = value < T(0) ? T(0) : value;
    return plane;
  });
}

template <class T>
void relu_max_pool_backward(const Exec& exec, const PoolProblem& problem, const T* dy, const T* y,
                            const uint8_t* argmax, T* dx, GradMode mode) {
  const int64_t image = problem.H * problem.W;
  const Scatter scatter(problem);
  visit_mode(mode, [&](auto add) {
    exec.threads->parallel_for(problem.planes, [&](int64_t i) {
      std::vector<T> gradient(
          static_cast<size_t>(image));  // summed before it is added to dx, as without fusion
      scatter.plane(i, argmax, gradient.data(), [&](int64_t out) { return y[out] > T(0) ? dy[out] : T(0); });
      for (int64_t j = 0; j < image; ++j) put<add.value>(dx[i * image + j], gradient[static_cast<size_t>(j)]);
    });
  });
}

template void max_pool_forward(const Exec&, const PoolProblem&, const float*, float*, uint8_t*);
template void max_pool_forward(const Exec&, const PoolProblem&, const double*, double*, uint8_t*);
template void max_pool_backward(const Exec&, const PoolProblem&, const float*, const uint8_t*, float*,
                                GradMode);
template void max_pool_backward(const Exec&, const PoolProblem&, const double*, const uint8_t*, double*,
                                GradMode);
template void relu_max_pool_forward(const Exec&, const PoolProblem&, const float*, float*, uint8_t*);
template void relu_max_pool_backward(const Exec&, const PoolProblem&, const float*, const float*,
                                     const uint8_t*, float*, GradMode);
template void relu_max_pool_forward(const Exec&, const PoolProblem&, const double*, double*, uint8_t*);
template void relu_max_pool_backward(const Exec&, const PoolProblem&, const double*, const double*,
                                     const uint8_t*, double*, GradMode);

}  // namespace kernels::cpu
