#include "tests/support/conv2d_cases.h"

#include <cmath>

namespace tests {

using kernels::ConvProblem;
using kernels::Direction;
using kernels::GradMode;

namespace {

template <class T, class Draw>
ConvData<T> fill_data(const ConvProblem& c, Draw draw, double weight_scale) {
  ConvData<T> data{.problem = c};
  const auto fill = [&](std::vector<T>& values, int64_t size, double scale) {
    values.resize(static_cast<size_t>(size));
    for (T& value : values) value = static_cast<T>(scale * draw());
  };
  fill(data.x, c.x_size(), 1.0);
  fill(data.w, c.w_size(), weight_scale);
  fill(data.b, c.K, 1.0);
  fill(data.dy, c.y_size(), 1.0);
  fill(data.old_dx, c.x_size(), 1.0);
  fill(data.old_dw, c.w_size(), 1.0);
  return data;
}

}  // namespace

template <class T>
ConvData<T> integer_data(const ConvProblem& problem, uint64_t seed) {
  std::mt19937_64 random(seed);
  return fill_data<T>(
      problem, [&] { return static_cast<double>(random() % 5) - 2.0; }, 1.0);
}

template <class T>
ConvData<T> random_data(const ConvProblem& problem, uint64_t seed) {
  std::mt19937_64 random(seed);
  const double scale = 1.0 / std::sqrt(static_cast<double>(problem.C * problem.R * problem.S));
  return fill_data<T>(
      problem, [&] { return std::ldexp(static_cast<double>(random() >> 11), -52) - 1.0; }, scale);
}

template <class T>
std::vector<double> naive_conv(const ConvData<T>& data, Direction direction, bool bias) {
  const ConvProblem& c = data.problem;
  const int64_t P = c.P(), Q = c.Q();
  const int64_t size = direction == Direction::Fprop   ? c.y_size()
                       : direction == Direction::Dgrad ? c.x_size()
                                                       : c.w_size();
  std::vector<double> out(static_cast<size_t>(size), 0.0);
  for (int64_t n = 0; n < c.N; ++n) {
    for (int64_t k = 0; k < c.K; ++k) {
      for (int64_t p = 0; p < P; ++p) {
        for (int64_t q = 0; q < Q; ++q) {
          const int64_t y = ((n * c.K + k) * P + p) * Q + q;
          if (direction == Direction::Fprop && bias) out[y] = static_cast<double>(data.b[k]);
          for (int64_t channel = 0; channel < c.C; ++channel) {
            for (int64_t r = 0; r < c.R; ++r) {
              for (int64_t s = 0; s < c.S; ++s) {
                const int64_t h = p * c.stride - c.pad_h + r, v = q * c.stride - c.pad_w + s;
                if (h < 0 || h >= c.H || v < 0 || v >= c.W) continue;
                const int64_t x = ((n * c.C + channel) * c.H + h) * c.W + v;
                const int64_t w = ((k * c.C + channel) * c.R + r) * c.S + s;
                if (direction == Direction::Fprop) {
                  out[y] += static_cast<double>(data.x[x]) * static_cast<double>(data.w[w]);
                } else if (direction == Direction::Dgrad) {
                  out[x] += static_cast<double>(data.dy[y]) * static_cast<double>(data.w[w]);
                } else {
                  out[w] += static_cast<double>(data.dy[y]) * static_cast<double>(data.x[x]);
                }
              }
            }
          }
        }
      }
    }
  }
  return out;
}

double relative_error(const std::vector<float>& got, const std::vector<double>& expected) {
  double error = 0.0, norm = 0.0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double difference = static_cast<double>(got[i]) - expected[i];
    error += difference * difference;
    norm += expected[i] * expected[i];
  }
  return std::sqrt(error / norm);
}

std::vector<kernels::Isa> available_isas() {
  std::vector<kernels::Isa> isas;
  for (const auto isa : {kernels::Isa::Portable, kernels::Isa::Avx2, kernels::Isa::Avx512}) {
    if (isa <= kernels::best_isa()) isas.push_back(isa);
  }
  return isas;
}

template <class T>
std::vector<T> guarded_run(const kernels::ConvRow<T>& row, const ConvRun& run, const ConvData<T>& data) {
  const ConvProblem& c = data.problem;
  const GuardedBuffer<T> x(data.x), w(data.w), b(data.b), dy(data.dy);
  const bool fprop = run.direction == Direction::Fprop;
  const std::vector<T>& old = run.direction == Direction::Dgrad ? data.old_dx : data.old_dw;
  GuardedBuffer<T> out(fprop ? static_cast<size_t>(c.y_size()) : old.size());
  if (!fprop && run.mode == GradMode::Accumulate) out = GuardedBuffer<T>(old);
  GuardedBuffer<unsigned char> scratch(row.workspace(run.exec, c, run.direction));

  kernels::Exec exec = run.exec;
  exec.workspace = {.data = scratch.data(), .bytes = scratch.size()};
  kernels::ConvOperands<T> operands;
  if (run.direction != Direction::Wgrad) operands.w = w.data();
  if (run.direction != Direction::Dgrad) operands.x = x.data();
  if (!fprop) operands.dy = dy.data();
  if (fprop && run.bias) operands.b = b.data();
  operands.relu = run.relu;
  (fprop ? operands.y : run.direction == Direction::Dgrad ? operands.dx : operands.dw) = out.data();
  row.run(exec, c, run.direction, operands, run.mode);

  CHECK(out.guards_intact());
  CHECK(scratch.guards_intact());
  if (!fprop && run.mode == GradMode::Ignore) {
    CHECK(out.untouched());
  } else if (!run.nans) {
    CHECK(out.no_nans());
  }
  return out.values();
}

template <class T>
std::pair<std::vector<T>, std::vector<T>> guarded_backward(const kernels::ConvRow<T>& row, const ConvRun& run,
                                                           const ConvData<T>& data) {
  const GuardedBuffer<T> x(data.x), w(data.w), dy(data.dy);
  const bool add = run.mode == GradMode::Accumulate;
  GuardedBuffer<T> dx = add ? GuardedBuffer<T>(data.old_dx) : GuardedBuffer<T>(data.old_dx.size());
  GuardedBuffer<T> dw = add ? GuardedBuffer<T>(data.old_dw) : GuardedBuffer<T>(data.old_dw.size());
  GuardedBuffer<unsigned char> scratch(row.backward_workspace(run.exec, data.problem));
  kernels::Exec exec = run.exec;
  exec.workspace = {.data = scratch.data(), .bytes = scratch.size()};
  row.backward(exec, data.problem,
               {.x = x.data(), .w = w.data(), .dy = dy.data(), .dx = dx.data(), .dw = dw.data()}, run.mode,
               run.mode);
  CHECK((dx.guards_intact() && dw.guards_intact() && scratch.guards_intact()));
  CHECK((dx.no_nans() && dw.no_nans()));
  return {dx.values(), dw.values()};
}

std::vector<ConvProblem> stride_one_problems() {
  std::vector<ConvProblem> problems = {
      {.N = 1, .C = 3, .H = 40, .W = 37, .K = 20, .R = 9, .S = 9, .pad_h = 4, .pad_w = 4},
      {.N = 2, .C = 20, .H = 12, .W = 23, .K = 17, .R = 9, .S = 9, .pad_h = 4, .pad_w = 4},
      {.N = 1, .C = 48, .H = 6, .W = 10, .K = 32, .R = 11, .S = 11, .pad_h = 5, .pad_w = 5},
      {.N = 2, .C = 32, .H = 6, .W = 6, .K = 24, .R = 11, .S = 11, .pad_h = 5, .pad_w = 5},
      {.N = 1, .C = 128, .H = 9, .W = 11, .K = 32, .R = 5, .S = 5, .pad_h = 2, .pad_w = 2},
      {.N = 3, .C = 64, .H = 7, .W = 9, .K = 128, .R = 1, .S = 1},
      {.N = 2, .C = 64, .H = 6, .W = 10, .K = 15, .R = 1, .S = 1},
      {.N = 1, .C = 1, .H = 3, .W = 200, .K = 2, .R = 3, .S = 9, .pad_h = 1, .pad_w = 4},
      {.N = 5, .C = 2, .H = 16, .W = 16, .K = 9, .R = 3, .S = 3, .pad_h = 1, .pad_w = 1},
      {.N = 1, .C = 4, .H = 2, .W = 3, .K = 3, .R = 11, .S = 11, .pad_h = 10, .pad_w = 10},
      {.N = 1, .C = 1, .H = 1, .W = 1, .K = 1, .R = 1, .S = 1},
  };
  std::mt19937_64 random(20);
  const auto draw = [&](int64_t low, int64_t high) {
    return low + static_cast<int64_t>(random() % static_cast<uint64_t>(high - low + 1));
  };
  while (problems.size() < 520) {
    ConvProblem c{.N = draw(1, 3), .C = draw(1, 10), .K = draw(1, 20), .R = draw(1, 7), .S = draw(1, 11)};
    if (draw(0, 3) == 0) c.C = 1;
    if (draw(0, 7) == 0) c.R = c.S = 1;
    c.H = draw(1, 14);
    c.W = draw(0, 3) == 0 ? draw(30, 70) : draw(1, 24);
    c.pad_h = draw(0, c.R - 1);
    c.pad_w = draw(0, c.S - 1);
    if (c.P() >= 1 && c.Q() >= 1 && c.macs() <= 1.5e6) problems.push_back(c);
  }
  return problems;
}

template ConvData<float> integer_data(const ConvProblem&, uint64_t);
template ConvData<double> integer_data(const ConvProblem&, uint64_t);
template ConvData<float> random_data(const ConvProblem&, uint64_t);
template ConvData<double> random_data(const ConvProblem&, uint64_t);
template std::vector<double> naive_conv(const ConvData<float>&, Direction, bool);
template std::vector<double> naive_conv(const ConvData<double>&, Direction, bool);
template std::vector<float> guarded_run(const kernels::ConvRow<float>&, const ConvRun&,
                                        const ConvData<float>&);
template std::vector<double> guarded_run(const kernels::ConvRow<double>&, const ConvRun&,
                                         const ConvData<double>&);

template std::pair<std::vector<float>, std::vector<float>> guarded_backward(const kernels::ConvRow<float>&,
                                                                            const ConvRun&,
                                                                            const ConvData<float>&);

}  // namespace tests
