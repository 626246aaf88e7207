// What the memory-bound CPU kernels share: spans of a flat array, writing by GradMode, sums in fixed order.
// A span is 32768 elements (128 KiB of floats): long enough to hide a task's cost, short enough that a span
// of two or three arrays stays in a core's cache. It never depends on the number of threads.
#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/base/exec.h"
#include "kernels/base/types.h"

namespace kernels {

inline constexpr int64_t kSpan = 1 << 15;

/// Calls body(begin, end) for the spans of [0, count), in parallel.
template <class Body>
void parallel_spans(const Exec& exec, int64_t count, Body&& body) {
  parallel_chunks(*exec.threads, count, kSpan, body);
}

/// Calls body(std::true_type) to add, body(std::false_type) to overwrite, and nothing for Ignore; so the
/// choice is made once, outside the loops.
template <class Body>
void visit_mode(GradMode mode, Body&& body) {
  if (mode == GradMode::Overwrite) body(std::false_type{});
  if (mode == GradMode::Accumulate) body(std::true_type{});
}

/// out = value, or out += value. Overwriting never reads `out`, which may be NaN.
template <bool kAdd, class T>
void put(T& out, T value) {
  if constexpr (kAdd) {
    out += value;
  } else {
    out = value;
  }
}

/// term(0) + ... + term(count - 1) in double. Eight running sums, added in a fixed tree at the end: a single
/// one would wait for the adder at every element, and the order stays the same whatever the vector width is.
template <class Term>
double lane_sum(int64_t count, Term term) {
  constexpr int kLanes = 8;
  double lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) lanes[lane] += term(i + lane);
  }
  for (int lane = 0; i < count; ++i, ++lane) lanes[lane] += term(i);
  for (int half = kLanes / 2; half > 0; half /= 2) {
    for (int lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
  }
  return lanes[0];
}

}  // namespace kernels
