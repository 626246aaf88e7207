// ReLU by cuDNN, for tests and benchmarks; training uses the kernels of relu.h.
#pragma once

#include <string>

#include "kernels/relu/relu.h"

namespace kernels {

/// Null where cuDNN cannot be used on exec's device; `missing` then says why. The contract is ReluKernels',
/// but for the sign of a zero.
const ReluKernels<float>* cudnn_relu_kernels(const Exec& exec, std::string* missing);

}  // namespace kernels
