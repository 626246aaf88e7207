// Linked where the CUDA backend is not built.
#include "kernels/base/backend.h"
#include "kernels/conv2d/cuda_bias_relu.h"
#include "kernels/conv2d/rows.h"

namespace kernels {

std::span<const ConvRow<float>> cuda_conv_rows() {
  return {};
}

void cuda_bias_relu(const Exec& exec, const ConvProblem&, const float*, bool, float*) {
  no_backend("convolution", exec.backend);
}

}  // namespace kernels
