// The pooling kernels of every backend, one object per element type.
#include <type_traits>

#include "kernels/base/backend.h"
#include "kernels/pool2d/cpu.h"

namespace kernels {

template <class T>
const Pool2dKernels<T>& pool2d_kernels(Backend backend) {
  static constexpr Pool2dKernels<T> kCpu(cpu::max_pool_forward<T>, cpu::max_pool_backward<T>,
                                         cpu::relu_max_pool_forward<T>, cpu::relu_max_pool_backward<T>,
                                         cpu::avg_pool_forward<T>, cpu::avg_pool_backward<T>);
  if (backend == Backend::Cpu) return kCpu;
  if constexpr (std::is_same_v<T, float>) {
    if (const auto* cuda = cuda_pool2d_kernels()) return *cuda;
  }
  no_backend("pooling", backend);
}

template const Pool2dKernels<float>& pool2d_kernels(Backend);
template const Pool2dKernels<double>& pool2d_kernels(Backend);

}  // namespace kernels
