// What the convolution tests share: shapes, data, a naive oracle, and a guarded run of one row.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "kernels/base/exec.h"
#include "kernels/conv2d/conv2d.h"
#include "tests/support/catch.h"
#include "tests/support/guarded_buffer.h"

namespace tests {

inline constexpr kernels::Direction kDirections[] = {kernels::Direction::Fprop, kernels::Direction::Dgrad,
                                                     kernels::Direction::Wgrad};

/// x, w, b, dy and what stood in dx and dw before an accumulating call.
template <class T>
struct ConvData {
  kernels::ConvProblem problem;
  std::vector<T> x, w, b, dy, old_dx, old_dw;
};

/// Integers in [-2, 2]: every sum of a test shape is exact in float, in any order.
template <class T>
ConvData<T> integer_data(const kernels::ConvProblem& problem, uint64_t seed);

/// Uniform in [-1, 1); w is scaled as a network's, by 1 / sqrt(C R S).
template <class T>
ConvData<T> random_data(const kernels::ConvProblem& problem, uint64_t seed);

/// Seven loops in double: y, dx or dw, without any old content.
template <class T>
std::vector<double> naive_conv(const ConvData<T>& data, kernels::Direction direction, bool bias);

/// Elements that differ from `expected` (plus `old`, where the call accumulated); counting ends at the first.
template <class T>
size_t differing(const std::vector<T>& got, const std::vector<double>& expected, const std::vector<T>* old) {
  size_t count = got.size() == expected.size() ? 0 : 1;
  for (size_t i = 0; i < expected.size() && count == 0; ++i) {
    const double want = expected[i] + (old == nullptr ? 0.0 : static_cast<double>((*old)[i]));
    if (static_cast<double>(got[i]) != want) ++count;
  }
  return count;
}

/// Numbers that are whole but for less than 0.01, made whole; the others stay. For rows that transform.
template <class T>
std::vector<T> rounded(std::vector<T> values) {
  for (T& value : values) {
    if (const T whole = std::round(value); std::abs(value - whole) < T(0.01)) value = whole;
  }
  return values;
}

/// Relative L2 distance.
double relative_error(const std::vector<float>& got, const std::vector<double>& expected);

/// Instruction sets of this processor, the plainest first.
std::vector<kernels::Isa> available_isas();

struct ConvRun {
  kernels::Exec exec;
  kernels::Direction direction = kernels::Direction::Fprop;
  kernels::GradMode mode = kernels::GradMode::Overwrite;
  bool bias = true;
  bool relu = false;
  bool nans = false;  // the data has some: the output may, too
};

/// Runs a row with guard bands round the inputs, the output and a workspace of exactly the size it asks for,
/// all memory that it may not read being NaN; checks the bands and returns the output.
template <class T>
std::vector<T> guarded_run(const kernels::ConvRow<T>& row, const ConvRun& run, const ConvData<T>& data);

/// The same of a row's `backward`: dx and dw, both in `run.mode`.
template <class T>
std::pair<std::vector<T>, std::vector<T>> guarded_backward(const kernels::ConvRow<T>& row, const ConvRun& run,
                                                           const ConvData<T>& data);

/// Small problems of many kinds, at least 500: pseudo-random ones and the network's layers at small sizes.
std::vector<kernels::ConvProblem> stride_one_problems();

}  // namespace tests
