// The readable convolution, any stride and padding, float or double; with h = p stride - pad_h + r and
// w = q stride - pad_w + s inside the image:
//   y[n,k,p,q]  = b[k] + sum over c,r,s of x[n,c,h,w] w[k,c,r,s]      (overwrites y; relu: negative ones
//   become 0) dx[n,c,h,w] = sum over k,r,s of dy[n,k,p,q] w[k,c,r,s]            (overwrites or adds)
//   dw[k,c,r,s] = sum over n,p,q of dy[n,k,p,q] x[n,c,h,w]            (overwrites or adds)
// Every output is summed in double in one fixed order and rounded once: this is the oracle of the other rows.
// The inner loop runs along q over the columns whose w is inside, so it is contiguous at stride 1.
#include <algorithm>
#include <vector>

#include "kernels/conv2d/rows.h"

namespace kernels {

namespace {

struct Range {
  int64_t begin, end;
};

/// The output columns q whose input column q stride - pad_w + s is inside the image.
Range inside_columns(const ConvProblem& c, int64_t s) {
  const int64_t shift = c.pad_w - s;  // inside means 0 <= q stride - shift < W
  const int64_t begin = shift > 0 ? (shift + c.stride - 1) / c.stride : 0;
  const int64_t end = c.W + shift > 0 ? (c.W + shift - 1) / c.stride + 1 : 0;
  return {begin, std::min(end, c.Q())};
}

template <class T>
void store(const std::vector<double>& sum, T* out, GradMode mode, bool relu = false) {
  for (size_t i = 0; i < sum.size(); ++i) {
    const double old = mode == GradMode::Accumulate ? static_cast<double>(out[i]) : 0.0;
    const T value = static_cast<T>(old + sum[i]);
    out[i] = relu && value < T(0) ? T(0) : value;
  }
}

/// One row y[n,k,p,:].
template <class T>
void fprop_row(const ConvProblem& c, const ConvOperands<T>& t, int64_t n, int64_t k, int64_t p) {
  std::vector<double> sum(static_cast<size_t>(c.Q()), t.b == nullptr ? 0.0 : static_cast<double>(t.b[k]));
  double* to = sum.data();
  for (int64_t channel = 0; channel < c.C; ++channel) {
    for (int64_t r = 0; r < c.R; ++r) {
      const int64_t h = p * c.stride - c.pad_h + r;
      if (h < 0 || h >= c.H) continue;
      const T* x_row = t.x + ((n * c.C + channel) * c.H + h) * c.W;
      const T* w_row = t.w + ((k * c.C + channel) * c.R + r) * c.S;
      for (int64_t s = 0; s < c.S; ++s) {
        const auto weight = static_cast<double>(w_row[s]);
        const int64_t shift = s - c.pad_w;
        const auto [begin, end] = inside_columns(c, s);
        for (int64_t q = begin; q < end; ++q) {
          to[q] += static_cast<double>(x_row[q * c.stride + shift]) * weight;
        }
      }
    }
  }
  store(sum, t.y + ((n * c.K + k) * c.P() + p) * c.Q(), GradMode::Overwrite, t.relu);
}

/// One row dx[n,channel,h,:].
template <class T>
void dgrad_row(const ConvProblem& c, const ConvOperands<T>& t, int64_t n, int64_t channel, int64_t h,
               GradMode mode) {
  std::vector<double> sum(static_cast<size_t>(c.W), 0.0);
  double* to = sum.data();
  for (int64_t k = 0; k < c.K; ++k) {
    for (int64_t r = 0; r < c.R; ++r) {
      const int64_t row = h + c.pad_h - r;  // p stride
      if (row < 0 || row % c.stride != 0 || row / c.stride >= c.P()) continue;
      const T* dy_row = t.dy + ((n * c.K + k) * c.P() + row / c.stride) * c.Q();
      const T* w_row = t.w + ((k * c.C + channel) * c.R + r) * c.S;
      for (int64_t s = 0; s < c.S; ++s) {
        const auto weight = static_cast<double>(w_row[s]);
        const int64_t shift = s - c.pad_w;
        const auto [begin, end] = inside_columns(c, s);
        for (int64_t q = begin; q < end; ++q) {
          to[q * c.stride + shift] += static_cast<double>(dy_row[q]) * weight;
        }
      }
    }
  }
  store(sum, t.dx + ((n * c.C + channel) * c.H + h) * c.W, mode);
}

/// One weight dw[k,channel,r,s], summed per column first: then the inner loop has no chain of additions.
template <class T>
double wgrad_weight(const ConvProblem& c, const ConvOperands<T>& t, int64_t k, int64_t channel, int64_t r,
                    int64_t s, std::vector<double>& columns) {
  columns.assign(static_cast<size_t>(c.Q()), 0.0);
  double* to = columns.data();
  const int64_t shift = s - c.pad_w;
  const auto [begin, end] = inside_columns(c, s);
  for (int64_t n = 0; n < c.N; ++n) {
    for (int64_t p = 0; p < c.P(); ++p) {
      const int64_t h = p * c.stride - c.pad_h + r;
      if (h < 0 || h >= c.H) continue;
      const T* x_row = t.x + ((n * c.C + channel) * c.H + h) * c.W;
      const T* dy_row = t.dy + ((n * c.K + k) * c.P() + p) * c.Q();
      for (int64_t q = begin; q < end; ++q) {
        to[q] += static_cast<double>(dy_row[q]) * static_cast<double>(x_row[q * c.stride + shift]);
      }
    }
  }
  double sum = 0.0;
  for (const double column : columns) sum += column;
  return sum;
}

/// The kernel dw[k,channel,:,:].
template <class T>
void wgrad_kernel(const ConvProblem& c, const ConvOperands<T>& t, int64_t k, int64_t channel, GradMode mode) {
  std::vector<double> sum(static_cast<size_t>(c.R * c.S));
  std::vector<double> columns;
  for (int64_t r = 0; r < c.R; ++r) {
    for (int64_t s = 0; s < c.S; ++s) sum[r * c.S + s] = wgrad_weight(c, t, k, channel, r, s, columns);
  }
  store(sum, t.dw + (k * c.C + channel) * c.R * c.S, mode);
}

template <class T>
void run(const Exec& exec, const ConvProblem& c, Direction direction, const ConvOperands<T>& t,
         GradMode mode) {
  ThreadPool& threads = *exec.threads;
  if (direction == Direction::Fprop) {
    threads.parallel_for(c.N * c.K * c.P(),
                         [&](int64_t i) { fprop_row(c, t, i / (c.K * c.P()), i / c.P() % c.K, i % c.P()); });
  } else if (mode == GradMode::Ignore) {
    return;
  } else if (direction == Direction::Dgrad) {
    threads.parallel_for(c.N * c.C * c.H,
                         [&](int64_t i) { dgrad_row(c, t, i / (c.C * c.H), i / c.H % c.C, i % c.H, mode); });
  } else {
    threads.parallel_for(c.K * c.C, [&](int64_t i) { wgrad_kernel(c, t, i / c.C, i % c.C, mode); });
  }
}

std::string supports(const Exec&, const ConvProblem&, Direction) {
  return "";
}

size_t workspace(const Exec&, const ConvProblem&, Direction) {
  return 0;
}

}  // namespace

template <class T>
ConvRow<T> cpu_reference_conv() {
  return {.name = "cpu.reference",
          .backend = Backend::Cpu,
          .supports = supports,
          .workspace = workspace,
          .run = run<T>};
}

template ConvRow<float> cpu_reference_conv();
template ConvRow<double> cpu_reference_conv();

}  // namespace kernels
