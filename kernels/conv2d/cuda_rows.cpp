#include "kernels/conv2d/cuda_rows.h"

#include <array>

#include "kernels/base/error.h"
#include "kernels/conv2d/rows.h"

namespace kernels {

std::span<const ConvRow<float>> cuda_conv_rows() {
  static const std::array rows{cuda_gemm_conv(), cuda_direct_conv(), cuda_reference_conv()};
  return rows;
}

void require_workspace(const Exec& exec, size_t bytes, const char* row, const ConvProblem& problem,
                       Direction direction) {
  CPM_CHECK(exec.workspace.bytes >= bytes, "{} got {} bytes of workspace, needs {} for {} {}", row,
            exec.workspace.bytes, bytes, direction_name(direction), to_string(problem));
}

}  // namespace kernels
