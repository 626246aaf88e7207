// cpu.direct with 4 lanes, which every processor of interest has, and the compiler's default instructions.
#include "kernels/conv2d/cpu_direct_kernel.h"

namespace kernels {

const DirectKernels* direct_kernels_portable() {
  static constexpr DirectKernels kernels = direct_kernels<4, 16, 4, 6, 2>();
  return &kernels;
}

}  // namespace kernels
