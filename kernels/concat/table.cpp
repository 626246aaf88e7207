// The concat kernels of every backend, one object per element type.
#include <type_traits>

#include "kernels/base/backend.h"
#include "kernels/concat/cpu.h"

namespace kernels {

template <class T>
const ConcatKernels<T>& concat_kernels(Backend backend) {
  static constexpr ConcatKernels<T> kCpu(cpu::concat_forward<T>, cpu::concat_backward<T>);
  if (backend == Backend::Cpu) return kCpu;
  if constexpr (std::is_same_v<T, float>) {
    if (const auto* cuda = cuda_concat_kernels()) return *cuda;
  }
  no_backend("concat", backend);
}

template const ConcatKernels<float>& concat_kernels(Backend);
template const ConcatKernels<double>& concat_kernels(Backend);

}  // namespace kernels
