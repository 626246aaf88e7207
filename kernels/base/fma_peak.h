// The machine's fused-multiply-add peak, measured: what every benchmark's "% of peak" refers to.
#pragma once

#include "kernels/base/exec.h"

namespace kernels {

/// GFLOP/s (an FMA counts two), the best of a few short bursts: of all threads of exec.threads in exec's
/// instruction set, or of a CUDA device's float units.
double measure_fma_peak_gflops(const Exec& exec);

}  // namespace kernels
