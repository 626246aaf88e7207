// Statistics of one array in one pass: sum of squares, largest magnitude, number of NaN and infinite
// elements. Sums run in double over fixed chunks in fixed order: same bits for any thread count.
#pragma once

#include <cstdint>

#include "kernels/base/exec.h"
#include "kernels/base/types.h"

namespace kernels {

struct ArrayStats {
  double sum_squares = 0;  // of the finite elements
  double max_abs = 0;      // of the finite elements
  int64_t non_finite = 0;  // NaN or infinite
};

template <class T>
struct ReduceKernels {
  using Stats = void (*)(const Exec&, int64_t count, const T* x, ArrayStats* stats);

  Stats stats;

  constexpr explicit ReduceKernels(Stats s) : stats(s) {}
};

/// The kernels of a backend; DeviceUnavailable where this build has none.
template <class T>
const ReduceKernels<T>& reduce_kernels(Backend backend);

}  // namespace kernels
