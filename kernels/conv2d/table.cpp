// The list of convolution algorithms: of each backend best first, the reference last.
#include <array>
#include <vector>

#include "kernels/base/error.h"
#include "kernels/conv2d/rows.h"

namespace kernels {

template <>
std::span<const ConvRow<float>> conv_rows<float>() {
  static const std::vector<ConvRow<float>> rows = [] {
    std::vector<ConvRow<float>> list{
        cpu_direct_conv(),           cpu_fft_conv(),    cpu_gemm_conv(),   cpu_outer_conv(),
        cpu_reference_conv<float>(), cudnn_best_conv(), cublas_gemm_conv()};
    const auto cuda = cuda_conv_rows();
    list.insert(list.end(), cuda.begin(), cuda.end());
    return list;
  }();
  return rows;
}

template <>
std::span<const ConvRow<double>> conv_rows<double>() {
  static const std::array rows{cpu_reference_conv<double>()};
  return rows;
}

void require_workspace(const Exec& exec, size_t bytes, const char* row, const ConvProblem& problem,
                       Direction direction) {
  CPM_CHECK(exec.workspace.bytes >= bytes, "{} got {} bytes of workspace, needs {} for {} {}", row,
            exec.workspace.bytes, bytes, direction_name(direction), to_string(problem));
}

}  // namespace kernels
