// Pooling through cuDNN: max with NaN winning, average with padding counted, as PyTorch. Where exec asks for
// determinism, max pooling is cuDNN's deterministic mode. The average's backward pass does not look at x and
// y, which the function wants all the same: dx and dy stand for them.
#include "kernels/base/cudnn_handle.h"
#include "kernels/base/plugin_export.h"
#include "kernels/pool2d/library.h"

namespace kernels {

namespace {

using cudnn::check;
using cudnn::Tensor;

class Pooling : public cudnn::Descriptor<cudnnPoolingDescriptor_t, cudnnCreatePoolingDescriptor,
                                         cudnnDestroyPoolingDescriptor> {
 public:
  Pooling(const PoolProblem& p, cudnnPoolingMode_t mode) {
    const int kernel = static_cast<int>(p.kernel), pad = static_cast<int>(p.pad),
              stride = static_cast<int>(p.stride);
    check(cudnnSetPooling2dDescriptor(*this, mode, CUDNN_PROPAGATE_NAN, kernel, kernel, pad, pad, stride,
                                      stride),
          "cudnnSetPooling2dDescriptor", to_string(p));
  }
};

cudnnPoolingMode_t max_mode(const Exec& exec) {
  return exec.deterministic ? CUDNN_POOLING_MAX_DETERMINISTIC : CUDNN_POOLING_MAX;
}

constexpr auto kAverage = CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING;

std::string supports(const PoolProblem& p) {
  if (p.rounding != PoolRounding::Floor) return "cuDNN has no ceil mode";
  return cudnn::fits(p.x_size()) && cudnn::fits(p.y_size()) ? "" : "a tensor has 2^31 elements or more";
}

void forward(const Exec& exec, const PoolProblem& p, cudnnPoolingMode_t mode, const float* x, float* y) {
  const cudnn::Handle handle(exec);
  const Tensor in(1, p.planes, p.H, p.W), out(1, p.planes, p.P(), p.Q());
  const float beta = 0.0f;
  check(cudnnPoolingForward(handle, Pooling(p, mode), &cudnn::kAlpha, in, x, &beta, out, y),
        "cudnnPoolingForward", to_string(p));
}

void backward(const Exec& exec, const PoolProblem& p, cudnnPoolingMode_t pooling, const float* x,
              const float* y, const float* dy, float* dx, GradMode mode) {
  if (mode == GradMode::Ignore) return;
  const cudnn::Handle handle(exec);
  const Tensor in(1, p.planes, p.H, p.W), out(1, p.planes, p.P(), p.Q());
  const float beta = cudnn::beta_of(mode);
  check(cudnnPoolingBackward(handle, Pooling(p, pooling), &cudnn::kAlpha, out, y, out, dy, in, x, &beta, in,
                             dx),
        "cudnnPoolingBackward", to_string(p));
}

void max_forward(const Exec& exec, const PoolProblem& p, const float* x, float* y) {
  forward(exec, p, max_mode(exec), x, y);
}

void max_backward(const Exec& exec, const PoolProblem& p, const float* x, const float* y, const float* dy,
                  float* dx, GradMode mode) {
  backward(exec, p, max_mode(exec), x, y, dy, dx, mode);
}

void avg_forward(const Exec& exec, const PoolProblem& p, const float* x, float* y) {
  forward(exec, p, kAverage, x, y);
}

void avg_backward(const Exec& exec, const PoolProblem& p, const float* dy, float* dx, GradMode mode) {
  backward(exec, p, kAverage, dx, dy, dy, dx, mode);
}

}  // namespace

}  // namespace kernels

CPM_PLUGIN_EXPORT const kernels::LibraryPool2d& cpm_plugin_pool2d() {
  using namespace kernels;
  static constexpr LibraryPool2d kKernels{.supports = supports,
                                          .max_forward = max_forward,
                                          .max_backward = max_backward,
                                          .avg_forward = avg_forward,
                                          .avg_backward = avg_backward};
  return kKernels;
}
