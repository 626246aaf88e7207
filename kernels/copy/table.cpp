// The copy kernels of every backend, one object per element type.
#include <type_traits>

#include "kernels/base/backend.h"
#include "kernels/copy/cpu.h"

namespace kernels {

template <class T>
const CopyKernels<T>& copy_kernels(Backend backend) {
  static constexpr CopyKernels<T> kCpu(cpu::fill<T>, cpu::copy<T>);
  if (backend == Backend::Cpu) return kCpu;
  if constexpr (std::is_same_v<T, float>) {
    if (const auto* cuda = cuda_copy_kernels()) return *cuda;
  }
  no_backend("copy", backend);
}

template const CopyKernels<float>& copy_kernels(Backend);
template const CopyKernels<double>& copy_kernels(Backend);

}  // namespace kernels
