// The CUDA rows that cuda_rows.cpp lists, each defined in the file of its algorithm.
#pragma once

#include "kernels/conv2d/conv2d.h"

namespace kernels {

/// 1x1 kernels as matrix products (cuda_gemm.cu).
ConvRow<float> cuda_gemm_conv();

/// Register tiles over shared memory, stride 1, large odd kernels (cuda_direct.cpp).
ConvRow<float> cuda_direct_conv();

/// One thread an output, any stride and padding, sums in double: the bits of cpu.reference
/// (cuda_reference.cu).
ConvRow<float> cuda_reference_conv();

/// An Internal error unless exec's workspace has the bytes that a row has asked for.
void require_workspace(const Exec& exec, size_t bytes, const char* row, const ConvProblem& problem,
                       Direction direction);

}  // namespace kernels
