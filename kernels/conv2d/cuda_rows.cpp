#include "kernels/conv2d/cuda_rows.h"

#include <array>

namespace kernels {

std::span<const ConvRow<float>> cuda_conv_rows() {
  static const std::array rows{cuda_gemm_conv(), cuda_direct_conv(), cuda_reference_conv()};
  return rows;
}

}  // namespace kernels
