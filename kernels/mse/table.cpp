// The squared error kernels of every backend, one object per element type.
#include <type_traits>

#include "kernels/base/backend.h"
#include "kernels/mse/cpu.h"

namespace kernels {

template <class T>
const MseKernels<T>& mse_kernels(Backend backend) {
  static constexpr MseKernels<T> kCpu([](int64_t) -> size_t { return 0; }, cpu::mse_forward<T>,
                                      cpu::mse_backward<T>);
  if (backend == Backend::Cpu) return kCpu;
  if constexpr (std::is_same_v<T, float>) {
    if (const auto* cuda = cuda_mse_kernels()) return *cuda;
  }
  no_backend("squared error", backend);
}

template const MseKernels<float>& mse_kernels(Backend);
template const MseKernels<double>& mse_kernels(Backend);

}  // namespace kernels
