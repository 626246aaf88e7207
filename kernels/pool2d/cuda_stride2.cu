// Max pooling of 3x3 windows with stride 2 and padding 1. A thread owns two output columns, 2t and 2t + 1,
// and so the four input columns from 4t on, and walks down a strip of eight output rows. Forward: an input
// row is one 16-byte load; its pixel to the left comes from the neighbouring lane; the row below an output
// row is kept as the row above the next. Backward: an input pixel gathers from the at most four windows that
// hold it, in their order; the window to the right comes from the neighbouring lane, the row of windows below
// is kept for the next step. So x and dx move once, plus one row in sixteen (forward) or one row of windows
// in eight (backward) where strips meet.
#include "kernels/pool2d/cuda_stride2.h"

#include "kernels/base/cuda_launch.h"
#include "kernels/base/cuda_pack.cuh"
#include "kernels/pool2d/cuda_window.cuh"

namespace kernels::cuda {

namespace {

constexpr int kThreads = 128;
constexpr int kStripRows = 8;  // output rows
constexpr int kLanes = 32;
constexpr unsigned kAll = 0xffffffffU;
constexpr int kNoPlace = 255;  // of a window that is not there

struct Strips {
  int H, W, P, Q;
  int columns;    // pairs of output columns, Q / 2
  int strips;     // a plane's
  int64_t items;  // planes * strips * columns: threads with work, t fastest

  explicit Strips(const PoolProblem& problem)
      : H(static_cast<int>(problem.H)),
        W(static_cast<int>(problem.W)),
        P(static_cast<int>(problem.P())),
        Q(static_cast<int>(problem.Q())),
        columns(Q / 2),
        strips((P + kStripRows - 1) / kStripRows),
        items(problem.planes * strips * columns) {}
};

/// Where a thread works; those without work stay for the exchanges between lanes.
struct Place {
  bool active;
  int t, first_row;
  int64_t plane;

  __device__ explicit Place(const Strips& s) {
    const int64_t item = int64_t{blockIdx.x} * kThreads + threadIdx.x;
    const int64_t strip = item / s.columns;
    active = item < s.items;
    t = static_cast<int>(item - strip * s.columns);
    plane = strip / s.strips;
    first_row = static_cast<int>(strip - plane * s.strips) * kStripRows;
  }
};

/// Four pixels of an input row and, in lane 0, the one to their left; zeros where the row is not `there`.
struct Row {
  Pack<kWide> x;
  float left;
  bool there;
};

__device__ Row load_row(const float* row, int t, bool there) {
  Row loaded = {{}, 0.0f, there};
  if (there) loaded.x = load<kWide>(row + kWide * t);
  if (there && t > 0 && threadIdx.x % kLanes == 0) loaded.left = row[kWide * t - 1];
  return loaded;
}

/// The best pixels of one row of two windows, places 0 to 2.
struct RowBest {
  Best window[2];
};

template <bool kRelu>
__device__ RowBest row_best(const Row& row, int t) {
  const float neighbour = __shfl_up_sync(kAll, row.x.at[3], 1);
  const float left = threadIdx.x % kLanes == 0 ? row.left : neighbour;
  const auto pixel = [&row](float value, int place) { return Best{input<kRelu>(value), place, row.there}; };
  RowBest best;
  if (t > 0) take(best.window[0], pixel(left, 0));
  take(best.window[0], pixel(row.x.at[0], 1));
  take(best.window[0], pixel(row.x.at[1], 2));
  take(best.window[1], pixel(row.x.at[1], 0));
  take(best.window[1], pixel(row.x.at[2], 1));
  take(best.window[1], pixel(row.x.at[3], 2));
  return best;
}

struct alignas(2) Bytes2 {
  uint8_t at[2];
};

template <bool kRelu>
__global__ void __launch_bounds__(kThreads)
    max_forward_kernel(Strips s, const float* __restrict__ x, float* __restrict__ y,
                       uint8_t* __restrict__ argmax) {
  const Place at(s);
  const float* plane = x + at.plane * s.H * s.W;
  int64_t out = (at.plane * s.P + at.first_row) * s.Q + 2 * at.t;
  const auto row = [&](int h, bool there) {
    return load_row(plane + int64_t{h} * s.W, at.t, there && at.active && h < s.H);
  };
  RowBest above = row_best<kRelu>(row(2 * at.first_row - 1, at.first_row > 0), at.t);
#pragma unroll
  for (int step = 0; step < kStripRows; ++step, out += s.Q) {
    const int p = at.first_row + step;
    const Row rows[2] = {row(2 * p, p < s.P),
                         row(2 * p + 1, p < s.P)};  // both on their way before the first is used
    const RowBest middle = row_best<kRelu>(rows[0], at.t), below = row_best<kRelu>(rows[1], at.t);
    Pack<2> value;
    Bytes2 place;
    for (int j = 0; j < 2; ++j) {
      Best best = above.window[j];
      take(best, {middle.window[j].value, middle.window[j].place + 3, middle.window[j].any});
      take(best, {below.window[j].value, below.window[j].place + 6, below.window[j].any});
      value.at[j] = best.value;
      place.at[j] = static_cast<uint8_t>(best.place);
    }
    above = below;
    if (at.active && p < s.P) {
      store(y + out, value);
      *reinterpret_cast<Bytes2*>(argmax + out) = place;
    }
  }
}

/// Gradient and place of a row of windows: the thread's two and the next to the right.
struct Windows {
  float dy[3];
  int place[3];
};

struct Gradients {
  const float* dy;
  const float* y;  // or null
  const uint8_t* argmax;

  /// Gradient of a window; 0 where a ReLU let nothing through.
  __device__ float masked(float gradient, float output) const {
    return y == nullptr || output > 0.0f ? gradient : 0.0f;
  }
};

/// The windows from index `out` on; none where the row is not `there`, two at the end of a row.
__device__ Windows load_windows(const Gradients& g, int64_t out, bool there, bool more) {
  Windows windows = {{0.0f, 0.0f, 0.0f}, {kNoPlace, kNoPlace, kNoPlace}};
  if (there) {
    const Pack<2> dy = load<2>(g.dy + out), y = g.y == nullptr ? Pack<2>{} : load<2>(g.y + out);
    const Bytes2 place = *reinterpret_cast<const Bytes2*>(g.argmax + out);
    for (int j = 0; j < 2; ++j) {
      windows.dy[j] = g.masked(dy.at[j], y.at[j]);
      windows.place[j] = place.at[j];
    }
  }
  const float dy = __shfl_down_sync(kAll, windows.dy[0], 1);
  const int place = __shfl_down_sync(kAll, windows.place[0], 1);
  if (!there || !more) return windows;
  if (threadIdx.x % kLanes == kLanes - 1) {
    windows.dy[2] = g.masked(g.dy[out + 2], g.y == nullptr ? 0.0f : g.y[out + 2]);
    windows.place[2] = g.argmax[out + 2];
  } else {
    windows.dy[2] = dy;
    windows.place[2] = place;
  }
  return windows;
}

/// Adds to the four pixels of an input row what row r of these windows gives them.
__device__ void gather(const Windows& windows, int r, Pack<kWide>& dx) {
  const auto add = [&](int column, int window, int s) {
    dx.at[column] += windows.place[window] == 3 * r + s ? windows.dy[window] : 0.0f;
  };
  add(0, 0, 1);
  add(1, 0, 2);
  add(1, 1, 0);
  add(2, 1, 1);
  add(3, 1, 2);
  add(3, 2, 0);
}

__global__ void __launch_bounds__(kThreads)
    max_backward_kernel(Strips s, Gradients g, float* __restrict__ dx, bool add) {
  const Place at(s);
  float* d_plane = dx + at.plane * s.H * s.W + kWide * at.t;
  const int64_t out = at.plane * s.P * s.Q + 2 * at.t;
  const auto row = [&](int p) {
    return load_windows(g, out + int64_t{p} * s.Q, at.active && p < s.P, at.t + 1 < s.columns);
  };
  Windows here = row(at.first_row);
#pragma unroll
  for (int step = 0; step < kStripRows; ++step) {
    const int p = at.first_row + step;
    const Windows below = row(p + 1);
    Pack<kWide> even = {}, odd = {};
    gather(here, 1, even);
    gather(here, 2, odd);
    gather(below, 0, odd);
    here = below;
    if (!at.active || p >= s.P) continue;
    put(d_plane + int64_t{2 * p} * s.W, even, add);
    if (2 * p + 1 < s.H) put(d_plane + int64_t{2 * p + 1} * s.W, odd, add);
  }
}

}  // namespace

bool is_stride2(const PoolProblem& problem) {
  return problem.kernel == 3 && problem.stride == 2 && problem.pad == 1 &&
         problem.rounding == PoolRounding::Floor && problem.W % kWide == 0;
}

void max_forward_stride2(const Exec& exec, const PoolProblem& problem, bool relu, const float* x, float* y,
                         uint8_t* argmax) {
  const Strips strips(problem);
  launch(exec, {"max_forward_stride2", {{"planes", problem.planes}, {"H", problem.H}, {"W", problem.W}}},
         blocks_for(strips.items, kThreads), kThreads, 0,
         relu ? max_forward_kernel<true> : max_forward_kernel<false>, strips, x, y, argmax);
}

void max_backward_stride2(const Exec& exec, const PoolProblem& problem, const float* dy, const float* y,
                          const uint8_t* argmax, float* dx, GradMode mode) {
  const Strips strips(problem);
  launch(exec, {"max_backward_stride2", {{"planes", problem.planes}, {"H", problem.H}, {"W", problem.W}}},
         blocks_for(strips.items, kThreads), kThreads, 0, max_backward_kernel, strips,
         Gradients{dy, y, argmax}, dx, mode == GradMode::Accumulate);
}

}  // namespace kernels::cuda
