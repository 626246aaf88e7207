// The target kernels of every backend.
#include "kernels/base/backend.h"
#include "kernels/targets/cpu.h"

namespace kernels {

const TargetsKernels& targets_kernels(Backend backend) {
  static constexpr TargetsKernels kCpu(cpu::draw_targets);
  if (backend == Backend::Cpu) return kCpu;
  if (const auto* cuda = cuda_targets_kernels()) return *cuda;
  no_backend("target maps", backend);
}

}  // namespace kernels
