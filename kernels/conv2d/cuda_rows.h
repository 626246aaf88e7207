// The CUDA rows that cuda_rows.cpp lists, each defined in the file of its algorithm.
#pragma once

#include "kernels/conv2d/conv2d.h"

namespace kernels {

/// One thread an output, any stride and padding, sums in double: the bits of cpu.reference
/// (cuda_reference.cu).
ConvRow<float> cuda_reference_conv();

}  // namespace kernels
