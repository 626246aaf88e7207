// What the tests of CPU kernels share: an Exec with its own threads, seeded values, comparisons, gradient
// modes.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "kernels/base/exec.h"
#include "kernels/base/types.h"
#include "tests/support/catch.h"
#include "tests/support/guarded_buffer.h"

namespace tests {

struct Cpu {
  kernels::ThreadPool pool;
  kernels::Exec exec;

  explicit Cpu(int threads = 2) : pool(threads) { exec.threads = &pool; }
};

/// A whole number in [low, high].
inline int64_t pick(std::mt19937& random, int64_t low, int64_t high) {
  return low + static_cast<int64_t>(random() % static_cast<uint64_t>(high - low + 1));
}

template <class T>
std::vector<T> integers(std::mt19937& random, int64_t count, int64_t low, int64_t high) {
  std::vector<T> values(static_cast<size_t>(count));
  for (T& value : values) value = static_cast<T>(pick(random, low, high));
  return values;
}

/// Real numbers in [-1, 1).
template <class T>
std::vector<T> reals(std::mt19937& random, int64_t count) {
  std::vector<T> values(static_cast<size_t>(count));
  for (T& value : values) value = static_cast<T>(static_cast<double>(random()) / 2147483648.0 - 1.0);
  return values;
}

/// What a ReLU lets through of real numbers in [-1, 1): half of it is 0.
template <class T>
std::vector<T> activation(std::mt19937& random, int64_t count) {
  auto values = reals<T>(random, count);
  for (T& value : values) value = std::max(value, T(0));
  return values;
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

/// Elements that differ; a NaN equals a NaN.
template <class T>
size_t differing(const std::vector<T>& a, const std::vector<T>& b) {
  if (a.size() != b.size()) return std::max(a.size(), b.size());
  size_t count = 0;
  for (size_t i = 0; i < a.size(); ++i) count += !(a[i] == b[i] || (a[i] != a[i] && b[i] != b[i]));
  return count;
}

/// Runs backward(dx, mode): Ignore must leave dx alone, Overwrite give `expected` out of NaN, Accumulate add
/// it to what is there (whole numbers, so that the sum is exact).
template <class T, class Backward>
void require_grad_modes(const std::vector<T>& expected, Backward backward) {
  GuardedBuffer<T> dx(expected.size());
  backward(dx.data(), kernels::GradMode::Ignore);
  REQUIRE(dx.untouched());
  backward(dx.data(), kernels::GradMode::Overwrite);
  REQUIRE(differing(dx.values(), expected) == 0);
  std::vector<T> sum = expected;
  for (size_t i = 0; i < sum.size(); ++i) {
    dx[i] = static_cast<T>(i % 7) - 3;
    sum[i] += dx[i];
  }
  backward(dx.data(), kernels::GradMode::Accumulate);
  REQUIRE(differing(dx.values(), sum) == 0);
  REQUIRE(dx.guards_intact());
}

/// compute(cpu) with 1, 2 and 3 threads must give the same bits.
template <class Compute>
void require_same_for_any_threads(Compute compute) {
  Cpu one(1), two(2), three(3);
  const auto reference = compute(one);
  REQUIRE(same_bits(compute(two), reference));
  REQUIRE(same_bits(compute(three), reference));
}

/// |numeric - analytic| <= 1e-7 relative, for the derivative of loss(x) with respect to every x[i] that
/// smooth(x[i]) accepts; central differences in double.
template <class Loss, class Smooth>
void require_gradient(std::vector<double> x, const std::vector<double>& analytic, double step, Loss loss,
                      Smooth smooth) {
  for (size_t i = 0; i < x.size(); ++i) {
    if (!smooth(x[i])) continue;
    const double at = x[i];
    x[i] = at + step;
    const double above = loss(x);
    x[i] = at - step;
    const double below = loss(x);
    x[i] = at;
    const double numeric = (above - below) / (2 * step);
    CAPTURE(i, numeric, analytic[i]);
    REQUIRE(std::fabs(numeric - analytic[i]) <= 1e-7 * std::max(1.0, std::fabs(analytic[i])));
  }
}

}  // namespace tests
