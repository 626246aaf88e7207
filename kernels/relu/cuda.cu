// ReLU on CUDA: the CPU's selections, four floats a thread where the arrays are 16-byte aligned.
// Memory-bound: a launch moves each byte once.
#include "kernels/base/cuda_elementwise.cuh"
#include "kernels/relu/relu.h"

namespace kernels {

namespace {

struct Forward {
  __device__ float operator()(float x) const { return x < 0.0f ? 0.0f : x; }
};

struct Backward {
  __device__ float operator()(float y, float dy) const { return y > 0.0f ? dy : 0.0f; }
};

void relu_forward(const Exec& exec, int64_t count, const float* x, float* y) {
  cuda::map(exec, {"relu_forward", {{"count", count}}}, count, GradMode::Overwrite, Forward{}, y, x);
}

void relu_backward(const Exec& exec, int64_t count, const float* y, const float* dy, float* dx,
                   GradMode mode) {
  cuda::map(exec, {"relu_backward", {{"count", count}}}, count, mode, Backward{}, dx, y, dy);
}

}  // namespace

const ReluKernels<float>* cuda_relu_kernels() {
  static constexpr ReluKernels<float> kKernels(relu_forward, relu_backward);
  return &kKernels;
}

}  // namespace kernels
