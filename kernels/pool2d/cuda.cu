// Pooling on CUDA. Max pooling of the network's windows is in cuda_stride2.cu; here are the kernels for every
// other window: a thread per output (forward) or per input pixel (backward), which gathers from the windows
// that hold it, in their order. Windows overlap in cache, not in memory. Accumulation adds the sum over a
// pixel's windows to dx.
#include <algorithm>

#include "kernels/base/cuda_launch.h"
#include "kernels/base/cuda_pack.cuh"
#include "kernels/pool2d/cuda_stride2.h"
#include "kernels/pool2d/cuda_window.cuh"

namespace kernels {

namespace {

using cuda::Best;

constexpr int kThreads = 256;
constexpr int kBlocks = 4;  // a multiprocessor's at least: room for the registers that division needs

/// The problem with its output sizes.
struct Pool {
  int H, W, P, Q, kernel, stride, pad;
  bool ceil;
  int64_t inputs, outputs;

  explicit Pool(const PoolProblem& problem)
      : H(static_cast<int>(problem.H)),
        W(static_cast<int>(problem.W)),
        P(static_cast<int>(problem.P())),
        Q(static_cast<int>(problem.Q())),
        kernel(static_cast<int>(problem.kernel)),
        stride(static_cast<int>(problem.stride)),
        pad(static_cast<int>(problem.pad)),
        ceil(problem.rounding == PoolRounding::Ceil),
        inputs(problem.x_size()),
        outputs(problem.y_size()) {}

  /// Pixels along an axis that the average's divisor counts for window `out` (pool2d.h).
  __device__ int counted(int size, int out) const {
    return ceil ? min(kernel, size + 2 * pad - out * stride) : kernel;
  }
  __device__ float divisor(int p, int q) const { return static_cast<float>(counted(H, p) * counted(W, q)); }
  /// The first and the last window along an axis that hold a pixel.
  __device__ int first_window(int pixel) const {
    return pixel + pad < kernel ? 0 : (pixel + pad - kernel) / stride + 1;
  }
  __device__ int last_window(int pixel, int windows) const {
    return min((pixel + pad) / stride, windows - 1);
  }
};

/// Element `index` of an array [planes, rows, columns].
struct Element {
  int64_t plane;
  int row, column;

  __device__ Element(int64_t index, int rows, int columns) {
    const int64_t line = index / columns;
    plane = line / rows;
    row = static_cast<int>(line - plane * rows);
    column = static_cast<int>(index - line * columns);
  }
};

__device__ int64_t thread_index() {
  return int64_t{blockIdx.x} * kThreads + threadIdx.x;
}

/// Calls body(pixel of x, place in the window) for the pixels of window `out`, row by row.
template <class Body>
__device__ void for_pixels(const Pool& pool, const Element& out, const float* x, Body body) {
  const int top = out.row * pool.stride - pool.pad, left = out.column * pool.stride - pool.pad;
  const float* plane = x + out.plane * pool.H * pool.W;
  for (int h = max(top, 0); h < min(top + pool.kernel, pool.H); ++h) {
    for (int w = max(left, 0); w < min(left + pool.kernel, pool.W); ++w) {
      body(plane[int64_t{h} * pool.W + w], (h - top) * pool.kernel + (w - left));
    }
  }
}

template <bool kRelu>
__global__ void __launch_bounds__(kThreads, kBlocks)
    max_forward_any(Pool pool, const float* x, float* y, uint8_t* argmax) {
  const int64_t index = thread_index();
  if (index >= pool.outputs) return;
  Best best;
  for_pixels(pool, Element(index, pool.P, pool.Q), x, [&](float value, int place) {
    cuda::take(best, {cuda::input<kRelu>(value), place, true});
  });
  y[index] = best.value;
  argmax[index] = static_cast<uint8_t>(best.place);
}

__global__ void __launch_bounds__(kThreads, kBlocks) avg_forward_any(Pool pool, const float* x, float* y) {
  const int64_t index = thread_index();
  if (index >= pool.outputs) return;
  const Element out(index, pool.P, pool.Q);
  float sum = 0.0f;
  for_pixels(pool, out, x, [&](float value, int) { sum += value; });
  y[index] = sum / pool.divisor(out.row, out.column);
}

/// What a pixel at `place` of window (p, q), output number `index`, gets from it.
struct MaxShare {
  const float* dy;
  const float* y;  // the pooled output where a ReLU came before, or null
  const uint8_t* argmax;
  __device__ float operator()(const Pool&, int64_t index, int, int, int place) const {
    return argmax[index] == place && (y == nullptr || y[index] > 0.0f) ? dy[index] : 0.0f;
  }
};

struct AvgShare {
  const float* dy;
  __device__ float operator()(const Pool& pool, int64_t index, int p, int q, int) const {
    return dy[index] / pool.divisor(p, q);
  }
};

template <class Share>
__global__ void __launch_bounds__(kThreads, kBlocks)
    backward_any(Pool pool, Share share, float* dx, bool add) {
  const int64_t index = thread_index();
  if (index >= pool.inputs) return;
  const Element in(index, pool.H, pool.W);
  const int last_p = pool.last_window(in.row, pool.P), last_q = pool.last_window(in.column, pool.Q);
  float sum = 0.0f;
  for (int p = pool.first_window(in.row); p <= last_p; ++p) {
    for (int q = pool.first_window(in.column); q <= last_q; ++q) {
      const int r = in.row + pool.pad - p * pool.stride, s = in.column + pool.pad - q * pool.stride;
      sum += share(pool, (in.plane * pool.P + p) * pool.Q + q, p, q, r * pool.kernel + s);
    }
  }
  cuda::put(dx + index, cuda::Pack<1>{sum}, add);
}

template <class... Parameters, class... Arguments>
void launch_any(const Exec& exec, const char* name, const PoolProblem& problem, int64_t threads,
                void (*kernel)(Pool, Parameters...), Arguments... arguments) {
  cuda::launch(exec,
               {name,
                {{"planes", problem.planes},
                 {"H", problem.H},
                 {"W", problem.W},
                 {"kernel", problem.kernel},
                 {"stride", problem.stride}}},
               cuda::blocks_for(threads, kThreads), kThreads, 0, kernel, Pool(problem), arguments...);
}

template <bool kRelu>
void max_forward(const Exec& exec, const PoolProblem& problem, const float* x, float* y, uint8_t* argmax) {
  if (cuda::is_stride2(problem) && cuda::aligned16(x, y, argmax)) {
    cuda::max_forward_stride2(exec, problem, kRelu, x, y, argmax);
  } else {
    launch_any(exec, "max_forward", problem, problem.y_size(), max_forward_any<kRelu>, x, y, argmax);
  }
}

void relu_max_backward(const Exec& exec, const PoolProblem& problem, const float* dy, const float* y,
                       const uint8_t* argmax, float* dx, GradMode mode) {
  if (mode == GradMode::Ignore) return;
  if (cuda::is_stride2(problem) && cuda::aligned16(dy, y, argmax, dx)) {
    cuda::max_backward_stride2(exec, problem, dy, y, argmax, dx, mode);
  } else {
    launch_any(exec, "max_backward", problem, problem.x_size(), backward_any<MaxShare>,
               MaxShare{dy, y, argmax}, dx, mode == GradMode::Accumulate);
  }
}

void max_backward(const Exec& exec, const PoolProblem& problem, const float* dy, const uint8_t* argmax,
                  float* dx, GradMode mode) {
  relu_max_backward(exec, problem, dy, nullptr, argmax, dx, mode);
}

void avg_forward(const Exec& exec, const PoolProblem& problem, const float* x, float* y) {
  launch_any(exec, "avg_forward", problem, problem.y_size(), avg_forward_any, x, y);
}

void avg_backward(const Exec& exec, const PoolProblem& problem, const float* dy, float* dx, GradMode mode) {
  if (mode == GradMode::Ignore) return;
  launch_any(exec, "avg_backward", problem, problem.x_size(), backward_any<AvgShare>, AvgShare{dy}, dx,
             mode == GradMode::Accumulate);
}

}  // namespace

const Pool2dKernels<float>* cuda_pool2d_kernels() {
  static constexpr Pool2dKernels<float> kKernels(max_forward<false>, max_backward, max_forward<true>,
                                                 relu_max_backward, avg_forward, avg_backward);
  return &kKernels;
}

}  // namespace kernels
