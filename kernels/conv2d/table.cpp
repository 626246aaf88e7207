// The list of convolution algorithms: best first, the reference last.
#include <array>

#include "kernels/conv2d/rows.h"

namespace kernels {

template <>
std::span<const ConvRow<float>> conv_rows<float>() {
  static const std::array rows{cpu_direct_conv(), cpu_reference_conv<float>()};
  return rows;
}

template <>
std::span<const ConvRow<double>> conv_rows<double>() {
  static const std::array rows{cpu_reference_conv<double>()};
  return rows;
}

}  // namespace kernels
