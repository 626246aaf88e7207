// cpu.direct with 16 lanes and 32 registers.
#include "kernels/conv2d/cpu_direct.h"

#if defined(__x86_64__)
#include "kernels/conv2d/cpu_direct_kernel.h"
#endif

namespace kernels {

const DirectKernels* direct_kernels_avx512() {
#if defined(__x86_64__)
  static constexpr DirectKernels kernels = direct_kernels<16, 32, 8, 12, 5>();
  return &kernels;
#else
  return nullptr;
#endif
}

}  // namespace kernels
