// The squared error kernels of every backend, one object per element type.
#include "kernels/base/backend.h"
#include "kernels/mse/cpu.h"

namespace kernels {

template <class T>
const MseKernels<T>& mse_kernels(Backend backend) {
  static constexpr MseKernels<T> kCpu(cpu::mse_forward<T>, cpu::mse_backward<T>);
  if (backend == Backend::Cpu) return kCpu;
  no_backend("squared error", backend);
}

template const MseKernels<float>& mse_kernels(Backend);
template const MseKernels<double>& mse_kernels(Backend);

}  // namespace kernels
