// Linked where the CUDA backend is not built.
#include "kernels/base/cuda_twins.h"

namespace kernels {

DeviceRuntime* cuda_device_runtime() {
  return nullptr;
}

}  // namespace kernels
