// The CUDA rows that cuda_rows.cpp lists, each defined in the file of its algorithm.
#pragma once

#include "kernels/conv2d/rows.h"

namespace kernels {

/// 1x1 kernels as matrix products (cuda_gemm.cu).
ConvRow<float> cuda_gemm_conv();

/// Register tiles over shared memory, stride 1, large odd kernels (cuda_direct.cpp).
ConvRow<float> cuda_direct_conv();

/// One thread an output, any stride and padding, sums in double: the bits of cpu.reference
/// (cuda_reference.cu).
ConvRow<float> cuda_reference_conv();

}  // namespace kernels
