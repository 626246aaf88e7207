// What the library rows leave to a kernel of ours.
#pragma once

#include "kernels/base/exec.h"
#include "kernels/conv2d/problem.h"

namespace kernels {

/// y[n, k, :] += b[k] where b is not null, then y = y < 0 ? 0 : y where `relu`; y [N, K, P, Q], b [K], both
/// on the device. DeviceUnavailable where the build has no CUDA.
void cuda_bias_relu(const Exec& exec, const ConvProblem& problem, const float* b, bool relu, float* y);

}  // namespace kernels
