// cpu.fft with 8 lanes and 16 registers.
#include "kernels/conv2d/cpu_fft.h"

#if defined(__x86_64__)
#include "kernels/conv2d/cpu_fft_kernel.h"
#endif

namespace kernels {

const FftKernels* fft_kernels_avx2() {
#if defined(__x86_64__)
  static constexpr FftKernels kernels = fft_kernels<8, 6>();
  return &kernels;
#else
  return nullptr;
#endif
}

}  // namespace kernels
