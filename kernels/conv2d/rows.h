// The rows that table.cpp lists, each defined in the file of its algorithm.
#pragma once

#include "kernels/conv2d/conv2d.h"

namespace kernels {

/// Plain loops, any stride and padding, every output summed in double: the oracle (cpu_reference.cpp).
template <class T>
ConvRow<T> cpu_reference_conv();

/// SIMD kernels on zero-padded copies, float, stride 1 (cpu_direct.cpp).
ConvRow<float> cpu_direct_conv();

}  // namespace kernels
