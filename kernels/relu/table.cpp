// The ReLU kernels of every backend, one object per element type.
#include <type_traits>

#include "kernels/base/backend.h"
#include "kernels/relu/cpu.h"

namespace kernels {

template <class T>
const ReluKernels<T>& relu_kernels(Backend backend) {
  static constexpr ReluKernels<T> kCpu(cpu::relu_forward<T>, cpu::relu_backward<T>);
  if (backend == Backend::Cpu) return kCpu;
  if constexpr (std::is_same_v<T, float>) {
    if (const auto* cuda = cuda_relu_kernels()) return *cuda;
  }
  no_backend("ReLU", backend);
}

template const ReluKernels<float>& relu_kernels(Backend);
template const ReluKernels<double>& relu_kernels(Backend);

}  // namespace kernels
