// cpu.fft with 16 lanes and 32 registers.
#include "kernels/conv2d/cpu_fft.h"

#if defined(__x86_64__)
#include "kernels/conv2d/cpu_fft_kernel.h"
#endif

namespace kernels {

const FftKernels* fft_kernels_avx512() {
#if defined(__x86_64__)
  static constexpr FftKernels kernels = fft_kernels<16, 12>();
  return &kernels;
#else
  return nullptr;
#endif
}

}  // namespace kernels
