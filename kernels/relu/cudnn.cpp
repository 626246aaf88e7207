// ReLU through cuDNN's activation functions, NaN kept. cuDNN's backward wants x beside y; y stands for it, as
// both are positive at the same places. Arrays are tensors of one row; one of 2^31 elements or more is cut.
#include <algorithm>

#include "kernels/base/cudnn_handle.h"
#include "kernels/base/plugin_export.h"
#include "kernels/relu/relu.h"

namespace kernels {

namespace {

using cudnn::check;

class Relu : public cudnn::Descriptor<cudnnActivationDescriptor_t, cudnnCreateActivationDescriptor,
                                      cudnnDestroyActivationDescriptor> {
 public:
  Relu() {
    check(cudnnSetActivationDescriptor(*this, CUDNN_ACTIVATION_RELU, CUDNN_PROPAGATE_NAN, 0.0),
          "cudnnSetActivationDescriptor");
  }
};

/// call(first element, descriptor) for pieces that cuDNN's sizes can hold.
template <class Call>
void for_each_piece(int64_t count, const Call& call) {
  constexpr int64_t kPiece = int64_t{1} << 30;
  for (int64_t begin = 0; begin < count; begin += kPiece) {
    call(begin, cudnn::Tensor(1, 1, 1, std::min(kPiece, count - begin)));
  }
}

void forward(const Exec& exec, int64_t count, const float* x, float* y) {
  const cudnn::Handle handle(exec);
  const Relu relu;
  const float beta = 0.0f;
  for_each_piece(count, [&](int64_t at, const cudnn::Tensor& tensor) {
    check(cudnnActivationForward(handle, relu, &cudnn::kAlpha, tensor, x + at, &beta, tensor, y + at),
          "cudnnActivationForward");
  });
}

void backward(const Exec& exec, int64_t count, const float* y, const float* dy, float* dx, GradMode mode) {
  if (mode == GradMode::Ignore) return;
  const cudnn::Handle handle(exec);
  const Relu relu;
  const float beta = cudnn::beta_of(mode);
  for_each_piece(count, [&](int64_t at, const cudnn::Tensor& tensor) {
    check(cudnnActivationBackward(handle, relu, &cudnn::kAlpha, tensor, y + at, tensor, dy + at, tensor,
                                  y + at, &beta, tensor, dx + at),
          "cudnnActivationBackward");
  });
}

}  // namespace

}  // namespace kernels

CPM_PLUGIN_EXPORT const kernels::ReluKernels<float>& cpm_plugin_relu() {
  static constexpr kernels::ReluKernels<float> kKernels(kernels::forward, kernels::backward);
  return kKernels;
}
