// The whole network on CUDA against PyTorch in float64, to the CPU's bounds.
#include "tests/support/golden.h"

#include "tests/support/cuda_device.h"

TEST_CASE("cuda golden two_stages_48x80", "[unchecked]") {
  tests::CudaDevice cuda;
  tests::golden::check_golden("two_stages_48x80", engine::DType::F32, tests::golden::kSmall, cuda.exec);
}
