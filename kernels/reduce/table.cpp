// The reduce kernels of every backend, one object per element type, and the histograms' edges.
#include <cmath>
#include <type_traits>

#include "kernels/base/backend.h"
#include "kernels/reduce/cpu.h"

namespace kernels {

double log_bin_edge(int bin) {
  return std::ldexp(bin % 2 == 0 ? 1.0 : 1.5, LogHistogram::kLowest + bin / 2);
}

template <class T>
const ReduceKernels<T>& reduce_kernels(Backend backend) {
  static constexpr ReduceKernels<T> kCpu(cpu::reduce_stats<T>, cpu::reduce_segments<T>, cpu::reduce_linear<T>,
                                         cpu::reduce_workspace);
  if (backend == Backend::Cpu) return kCpu;
  if constexpr (std::is_same_v<T, float>) {
    if (const auto* cuda = cuda_reduce_kernels()) return *cuda;
  }
  no_backend("reduce", backend);
}

template const ReduceKernels<float>& reduce_kernels(Backend);
template const ReduceKernels<double>& reduce_kernels(Backend);

}  // namespace kernels
