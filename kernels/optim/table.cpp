// The optimiser kernels of every backend, one object per element type.
#include <type_traits>

#include "kernels/base/backend.h"
#include "kernels/optim/cpu.h"

namespace kernels {

template <class T>
const OptimKernels<T>& optim_kernels(Backend backend) {
  static constexpr OptimKernels<T> kCpu(cpu::sgd<T>, cpu::adam<T>, cpu::optim_workspace);
  if (backend == Backend::Cpu) return kCpu;
  if constexpr (std::is_same_v<T, float>) {
    if (const auto* cuda = cuda_optim_kernels()) return *cuda;
  }
  no_backend("optimiser", backend);
}

template const OptimKernels<float>& optim_kernels(Backend);
template const OptimKernels<double>& optim_kernels(Backend);

}  // namespace kernels
