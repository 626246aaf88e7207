// Linked where the CUDA backend is not built.
#include "kernels/targets/targets.h"

namespace kernels {

const TargetsKernels* cuda_targets_kernels() {
  return nullptr;
}

}  // namespace kernels
