// cpu.fft with 4 lanes, which every processor of interest has, and the compiler's default instructions.
#include "kernels/conv2d/cpu_fft_kernel.h"

namespace kernels {

const FftKernels* fft_kernels_portable() {
  static constexpr FftKernels kernels = fft_kernels<4, 4>();
  return &kernels;
}

}  // namespace kernels
