// y[n, k, :] = relu(y[n, k, :] + b[k]), either of the two alone, or both: a block takes one plane of y, read
// and written once.
#include "kernels/conv2d/cuda_bias_relu.h"

#include "kernels/base/cuda_launch.h"

namespace kernels {

namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads)
    bias_relu(int64_t pixels, int64_t channels, const float* b, bool relu, float* y) {
  float* plane = y + blockIdx.x * pixels;                              // n K + k
  const float bias = b == nullptr ? -0.0f : b[blockIdx.x % channels];  // -0 changes no number
  for (int64_t i = threadIdx.x; i < pixels; i += kThreads) {
    const float sum = plane[i] + bias;
    plane[i] = relu && sum < 0.0f ? 0.0f : sum;
  }
}

}  // namespace

void cuda_bias_relu(const Exec& exec, const ConvProblem& c, const float* b, bool relu, float* y) {
  const int64_t planes = c.N * c.K, pixels = c.P() * c.Q();
  if (b == nullptr && !relu) return;
  cuda::launch(exec, {"bias_relu", {{"planes", planes}, {"pixels", pixels}}}, static_cast<uint32_t>(planes),
               kThreads, 0, bias_relu, pixels, c.K, b, relu, y);
}

}  // namespace kernels
