// The window of one output coordinate along one axis, shared by the pooling kernels of the CPU.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/pool2d/pool2d.h"

namespace kernels::cpu {

/// Pixels [begin, end) of the image; `origin` is where the window starts, padding included.
struct Window {
  int64_t origin, begin, end;
};

inline Window window(const PoolProblem& problem, int64_t size, int64_t out) {
  const int64_t origin = out * problem.stride - problem.pad;
  return {origin, std::max<int64_t>(origin, 0), std::min(origin + problem.kernel, size)};
}

}  // namespace kernels::cpu
