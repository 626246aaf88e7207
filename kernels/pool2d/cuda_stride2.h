// Max pooling on CUDA for the windows of the network: 3x3, stride 2, padding 1, floor mode. See pool2d.h.
#pragma once

#include "kernels/pool2d/pool2d.h"

namespace kernels::cuda {

/// True for the problems that the functions below take: also W is a multiple of 4, so that every row of a
/// 16-byte aligned array starts at a multiple of 16 bytes.
bool is_stride2(const PoolProblem& problem);

/// x and dx are 16-byte, y and dy 8-byte, argmax 2-byte aligned.
void max_forward_stride2(const Exec& exec, const PoolProblem& problem, bool relu, const float* x, float* y,
                         uint8_t* argmax);

/// y: the pooled output where a ReLU came before the pooling, or null.
void max_backward_stride2(const Exec& exec, const PoolProblem& problem, const float* dy, const float* y,
                          const uint8_t* argmax, float* dx, GradMode mode);

}  // namespace kernels::cuda
