// The rows that table.cpp lists, each defined in the file of its algorithm.
#pragma once

#include "kernels/conv2d/conv2d.h"

namespace kernels {

/// Plain loops, any stride and padding, every output summed in double: the oracle (cpu_reference.cpp).
template <class T>
ConvRow<T> cpu_reference_conv();

/// The CUDA rows, best first (cuda_rows.cpp); none from no_cuda.cpp.
std::span<const ConvRow<float>> cuda_conv_rows();

/// SIMD kernels on zero-padded copies, float, stride 1 (cpu_direct.cpp).
ConvRow<float> cpu_direct_conv();

/// 1x1 kernels as matrix products of packed panels, float, stride 1 (cpu_gemm.cpp).
ConvRow<float> cpu_gemm_conv();

/// wgrad as sums of outer products over the pixels that a tap sees, float, stride 1 (cpu_outer.cpp).
ConvRow<float> cpu_outer_conv();

/// Tiles of Fourier transforms, float, stride 1 (cpu_fft.cpp).
ConvRow<float> cpu_fft_conv();

/// cuDNN's choice, and 1x1 convolutions by cuBLAS: listed always, opened when asked for (library_rows.cpp).
ConvRow<float> cudnn_best_conv();
ConvRow<float> cublas_gemm_conv();

/// An Internal error unless exec's workspace has the bytes that a row has asked for.
void require_workspace(const Exec& exec, size_t bytes, const char* row, const ConvProblem& problem,
                       Direction direction);

}  // namespace kernels
