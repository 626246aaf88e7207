// The bias kernels of every backend, one object per element type.
#include <type_traits>

#include "kernels/base/backend.h"
#include "kernels/bias/cpu.h"

namespace kernels {

template <class T>
const BiasKernels<T>& bias_kernels(Backend backend) {
  static constexpr BiasKernels<T> kCpu(cpu::bias_backward<T>, cpu::bias_relu_backward<T>);
  if (backend == Backend::Cpu) return kCpu;
  if constexpr (std::is_same_v<T, float>) {
    if (const auto* cuda = cuda_bias_kernels()) return *cuda;
  }
  no_backend("bias", backend);
}

template const BiasKernels<float>& bias_kernels(Backend);
template const BiasKernels<double>& bias_kernels(Backend);

}  // namespace kernels
