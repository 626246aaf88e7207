// The readable convolution on CUDA: a thread sums one output in double, in the order of cpu_reference.cpp,
// and rounds once. A product of two floats is exact in double, so the bits are those of cpu.reference. Any
// stride and padding.
#include "kernels/base/cuda_launch.h"
#include "kernels/conv2d/cuda_rows.h"

namespace kernels {

namespace {

constexpr int kThreads = 128;

/// A problem as the device sees it; 32-bit divisions are cheap.
struct Sizes {
  int N, C, H, W, K, R, S, P, Q, pad_h, pad_w, stride;
};

__device__ int64_t thread_index() {
  return int64_t{blockIdx.x} * kThreads + threadIdx.x;
}

__device__ void store(double sum, float& out, bool add) {
  out = static_cast<float>((add ? static_cast<double>(out) : 0.0) + sum);
}

/// Element i of an array [N][C][H][W].
struct Position {
  int n, c, h, w;

  __device__ Position(int64_t i, int C, int H, int W) {
    const int64_t row = i / W;
    w = static_cast<int>(i - row * W);
    const auto plane = static_cast<int>(row / H);
    h = static_cast<int>(row - int64_t{plane} * H);
    n = plane / C;
    c = plane % C;
  }
};

/// Where row h of plane c of image n begins in [N][C][H][W].
__device__ int64_t row_of(int n, int C, int c, int H, int h, int W) {
  return ((int64_t{n} * C + c) * H + h) * W;
}

__global__ void __launch_bounds__(kThreads) conv_reference_fprop(Sizes c, ConvOperands<float> t) {
  const int64_t i = thread_index();
  if (i >= int64_t{c.N} * c.K * c.P * c.Q) return;
  const auto [n, k, p, q] = Position(i, c.K, c.P, c.Q);
  double sum = t.b == nullptr ? 0.0 : t.b[k];
  for (int channel = 0; channel < c.C; ++channel) {
    for (int r = 0; r < c.R; ++r) {
      const int h = p * c.stride - c.pad_h + r;
      if (h < 0 || h >= c.H) continue;
      const float* x = t.x + row_of(n, c.C, channel, c.H, h, c.W);
      const float* weights = t.w + row_of(k, c.C, channel, c.R, r, c.S);
      for (int s = 0; s < c.S; ++s) {
        const int w = q * c.stride - c.pad_w + s;
        if (w >= 0 && w < c.W) sum += static_cast<double>(x[w]) * weights[s];
      }
    }
  }
  const auto value = static_cast<float>(sum);
  t.y[i] = t.relu && value < 0.0f ? 0.0f : value;
}

/// The output row (column) that kernel row r maps to input row h, or -1.
__device__ int output_index(int h, int pad, int r, int stride, int count) {
  const int scaled = h + pad - r;
  return scaled < 0 || scaled % stride != 0 || scaled / stride >= count ? -1 : scaled / stride;
}

// For sm_80 ptxas would spill three registers rather than take more than 32, were it not told that 8 blocks
// an SM suffice.
__global__ void __launch_bounds__(kThreads, 8)
    conv_reference_dgrad(Sizes c, ConvOperands<float> t, bool add) {
  const int64_t i = thread_index();
  if (i >= int64_t{c.N} * c.C * c.H * c.W) return;
  const auto [n, channel, h, w] = Position(i, c.C, c.H, c.W);
  double sum = 0.0;
  for (int k = 0; k < c.K; ++k) {
    for (int r = 0; r < c.R; ++r) {
      const int p = output_index(h, c.pad_h, r, c.stride, c.P);
      if (p < 0) continue;
      const float* dy = t.dy + row_of(n, c.K, k, c.P, p, c.Q);
      const float* weights = t.w + row_of(k, c.C, channel, c.R, r, c.S);
      for (int s = 0; s < c.S; ++s) {
        const int q = output_index(w, c.pad_w, s, c.stride, c.Q);
        if (q >= 0) sum += static_cast<double>(dy[q]) * weights[s];
      }
    }
  }
  store(sum, t.dx[i], add);
}

/// Columns are summed first, as on the CPU.
__global__ void __launch_bounds__(kThreads) conv_reference_wgrad(Sizes c, ConvOperands<float> t, bool add) {
  const int64_t i = thread_index();
  if (i >= int64_t{c.K} * c.C * c.R * c.S) return;
  const auto [k, channel, r, s] = Position(i, c.C, c.R, c.S);
  double sum = 0.0;
  for (int q = 0; q < c.Q; ++q) {
    const int w = q * c.stride - c.pad_w + s;
    if (w < 0 || w >= c.W) continue;
    double column = 0.0;
    for (int n = 0; n < c.N; ++n) {
      for (int p = 0; p < c.P; ++p) {
        const int h = p * c.stride - c.pad_h + r;
        if (h < 0 || h >= c.H) continue;
        column += static_cast<double>(t.dy[row_of(n, c.K, k, c.P, p, c.Q) + q]) *
                  t.x[row_of(n, c.C, channel, c.H, h, c.W) + w];
      }
    }
    sum += column;
  }
  store(sum, t.dw[i], add);
}

void run(const Exec& exec, const ConvProblem& c, Direction direction, const ConvOperands<float>& t,
         GradMode mode) {
  const auto size = [](int64_t value) { return static_cast<int>(value); };
  const Sizes sizes{size(c.N), size(c.C),   size(c.H),   size(c.W),     size(c.K),     size(c.R),
                    size(c.S), size(c.P()), size(c.Q()), size(c.pad_h), size(c.pad_w), size(c.stride)};
  const bool add = mode == GradMode::Accumulate;
  const auto start = [&](const char* name, int64_t outputs, auto kernel, auto... more) {
    if (outputs == 0) return;
    const cuda::Site site{name, {{"n", c.N}, {"c", c.C}, {"h", c.H}, {"w", c.W}, {"k", c.K}, {"r", c.R}}};
    cuda::launch(exec, site, cuda::blocks_for(outputs, kThreads), kThreads, 0, kernel, sizes, t, more...);
  };
  if (direction == Direction::Fprop) {
    start("conv_reference_fprop", c.y_size(), conv_reference_fprop);
  } else if (mode == GradMode::Ignore) {
    return;
  } else if (direction == Direction::Dgrad) {
    start("conv_reference_dgrad", c.x_size(), conv_reference_dgrad, add);
  } else {
    start("conv_reference_wgrad", c.w_size(), conv_reference_wgrad, add);
  }
}

std::string supports(const Exec&, const ConvProblem&, Direction) {
  return "";
}

size_t workspace(const Exec&, const ConvProblem&, Direction) {
  return 0;
}

}  // namespace

ConvRow<float> cuda_reference_conv() {
  return {.name = "cuda.reference",
          .backend = Backend::Cuda,
          .supports = supports,
          .workspace = workspace,
          .run = run};
}

}  // namespace kernels
