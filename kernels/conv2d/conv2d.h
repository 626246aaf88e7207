// The contract of a convolution algorithm and the list of all of them (table.cpp): each backend's best first,
// its reference last. Tests, benchmarks and the planner iterate the list; nobody writes a switch over
// algorithms. Tensors are contiguous NCHW, weights KCRS (= OIHW); T is float or double.
#pragma once

#include <algorithm>
#include <limits>
#include <span>
#include <string>

#include "kernels/base/backend.h"
#include "kernels/base/exec.h"
#include "kernels/base/types.h"
#include "kernels/conv2d/problem.h"

namespace kernels {

/// The tensors of one call. fprop reads x w b, writes y; dgrad reads dy w, writes dx; wgrad reads x dy,
/// writes dw. Inputs never overlap outputs. Unused members stay null.
template <class T>
struct ConvOperands {
  const T* x = nullptr;   // [N, C, H, W]
  const T* w = nullptr;   // [K, C, R, S]
  const T* b = nullptr;   // [K], or null for no bias
  const T* dy = nullptr;  // [N, K, P, Q]
  T* y = nullptr;         // [N, K, P, Q], always overwritten
  T* dx = nullptr;        // [N, C, H, W], by GradMode
  T* dw = nullptr;        // [K, C, R, S], by GradMode
  bool relu = false;      // fprop writes relu(conv + b), bit for bit what kernels/relu makes of y

  /// What the direction writes: y, dx or dw.
  T* output(Direction direction) const {
    return direction == Direction::Fprop ? y : direction == Direction::Dgrad ? dx : dw;
  }
};

/// One algorithm. A row that cannot do a problem says why; it never falls back silently.
template <class T>
struct ConvRow {
  const char* name;  // "backend.algorithm"
  Backend backend;
  /// Empty: supported. Otherwise the reason, for the log and for tests. Looks at exec's backend, device, isa
  /// and deterministic only.
  std::string (*supports)(const Exec& exec, const ConvProblem& problem, Direction direction);
  /// Bytes of scratch that `run` needs in exec.workspace (64-byte aligned); independent of the thread count.
  size_t (*workspace)(const Exec& exec, const ConvProblem& problem, Direction direction);
  /// Runs one direction. `mode` concerns dx and dw only; with Ignore nothing is written.
  void (*run)(const Exec& exec, const ConvProblem& problem, Direction direction,
              const ConvOperands<T>& operands, GradMode mode);
  /// Floating-point operations that `run` executes, where an algorithm saves some; null: all 2 macs().
  double (*executed_flops)(const Exec& exec, const ConvProblem& problem, Direction direction) = nullptr;
  /// Processor cycles of one core that `run` takes, by a model of its arithmetic; null: not known, dearer
  /// than any.
  double (*cost)(const Exec& exec, const ConvProblem& problem, Direction direction) = nullptr;
  /// dgrad and wgrad in one call that shares work between them, where an algorithm has such: x w dy to dx dw,
  /// neither mode Ignore; the results of two calls but for rounding. Its scratch in bytes.
  void (*backward)(const Exec& exec, const ConvProblem& problem, const ConvOperands<T>& operands,
                   GradMode dx_mode, GradMode dw_mode) = nullptr;
  size_t (*backward_workspace)(const Exec& exec, const ConvProblem& problem) = nullptr;
  /// The fixed rule passes it over: it runs where a kept plan or a flag names it (rows of vendors'
  /// libraries).
  bool by_name = false;
  /// How `run` goes about a problem, for tables, as "T54, 4x4 tiles, 16 at a time"; null: nothing to say.
  std::string (*detail)(const Exec& exec, const ConvProblem& problem, Direction direction) = nullptr;
};

/// All rows for an element type, backend by backend, each best first (behind what runs by name only); the
/// last one of a backend is its readable reference and supports everything.
template <class T>
std::span<const ConvRow<T>> conv_rows();
template <>
std::span<const ConvRow<float>> conv_rows<float>();
template <>
std::span<const ConvRow<double>> conv_rows<double>();

/// The fixed rule: of the rows of exec's backend that support the problem and need not be named, that of
/// least cost, or else the first. No clock, so runs are reproducible. DeviceUnavailable where this build has
/// no rows of that backend and type.
template <class T>
const ConvRow<T>& choose_conv_row(const Exec& exec, const ConvProblem& problem, Direction direction) {
  const ConvRow<T>* best = nullptr;
  constexpr double kUnknown = std::numeric_limits<double>::infinity();
  double least = kUnknown;
  for (const ConvRow<T>& row : conv_rows<T>()) {
    if (row.by_name || row.backend != exec.backend) continue;
    if (!row.supports(exec, problem, direction).empty()) continue;
    const double cost = row.cost != nullptr ? row.cost(exec, problem, direction) : kUnknown;
    if (best == nullptr || cost < least) best = &row;
    least = std::min(least, cost);
  }
  if (best == nullptr) no_backend("convolution", exec.backend);
  return *best;
}

}  // namespace kernels
