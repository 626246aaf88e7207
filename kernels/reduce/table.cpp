// The reduce kernels of every backend, one object per element type.
#include "kernels/base/backend.h"
#include "kernels/reduce/cpu.h"

namespace kernels {

template <class T>
const ReduceKernels<T>& reduce_kernels(Backend backend) {
  static constexpr ReduceKernels<T> kCpu(cpu::reduce_stats<T>);
  if (backend == Backend::Cpu) return kCpu;
  no_backend("reduce", backend);
}

template const ReduceKernels<float>& reduce_kernels(Backend);
template const ReduceKernels<double>& reduce_kernels(Backend);

}  // namespace kernels
