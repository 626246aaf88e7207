// Linked where the CUDA backend is not built.
#include "kernels/base/backend.h"
#include "kernels/base/cuda_twins.h"

namespace kernels {

DeviceRuntime* cuda_device_runtime() {
  return nullptr;
}

double cuda_fma_burst(const Exec& exec, int, int, float*) {
  no_backend("FMA burst", exec.backend);
}

void cuda_triad(const Exec& exec, int64_t, const float*, const float*, float*) {
  no_backend("triad", exec.backend);
}

}  // namespace kernels
