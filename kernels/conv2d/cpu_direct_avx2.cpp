// cpu.direct with 8 lanes and 16 registers.
#include "kernels/conv2d/cpu_direct.h"

#if defined(__x86_64__)
#include "kernels/conv2d/cpu_direct_kernel.h"
#endif

namespace kernels {

const DirectKernels* direct_kernels_avx2() {
#if defined(__x86_64__)
  static constexpr DirectKernels kernels = direct_kernels<8, 16, 4, 6, 3>();
  return &kernels;
#else
  return nullptr;
#endif
}

}  // namespace kernels
