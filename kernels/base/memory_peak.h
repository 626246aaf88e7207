// The memory bandwidth that plain loops reach, measured: what roofs are drawn with.
#pragma once

#include "kernels/base/exec.h"

namespace kernels {

/// GB/s (10^9 bytes), counted as STREAM counts (McCalpin 1995): every array once, whatever the hardware moves
/// besides.
struct MemoryPeaks {
  double copy = 0;   // a = b: 8 bytes a float
  double triad = 0;  // a = b + s c: 12 bytes a float
};

/// The best of a few passes over arrays larger than the caches, with all threads of exec.
MemoryPeaks measure_memory_peaks(const Exec& exec);

}  // namespace kernels
