// Squared error as the CPM release defines a stage's loss (Caffe's EuclideanLoss): sum of (y - target)^2 over
// maps and pixels, times `scale` = 1 / (2 N). An optional mask [N, channels] (0 or 1) leaves whole maps out.
// The sum runs in double over fixed chunks in fixed order: same bits for any thread count.
#pragma once

#include <cstdint>

#include "kernels/base/exec.h"
#include "kernels/base/types.h"

namespace kernels {

/// y and target are [maps, pixels] with maps = N * channels; mask has one value per map, or is null.
template <class T>
struct MseOperands {
  int64_t maps = 1, pixels = 1;
  const T* y = nullptr;
  const T* target = nullptr;
  const T* mask = nullptr;
};

template <class T>
struct MseKernels {
  /// Bytes of scratch that `forward` needs in exec.workspace (64-byte aligned) for so many maps; 0 on the
  /// CPU.
  using Workspace = size_t (*)(int64_t maps);
  /// *loss = scale * sum of mask (y - target)^2, in double; `loss` is memory of the backend, like the arrays.
  using Forward = void (*)(const Exec&, const MseOperands<T>&, double scale, double* loss);
  /// dy = 2 scale mask (y - target).
  using Backward = void (*)(const Exec&, const MseOperands<T>&, double scale, T* dy, GradMode mode);

  Workspace workspace;
  Forward forward;
  Backward backward;

  constexpr MseKernels(Workspace w, Forward f, Backward b) : workspace(w), forward(f), backward(b) {}
};

/// The kernels of a backend; DeviceUnavailable where this build has none.
template <class T>
const MseKernels<T>& mse_kernels(Backend backend);

/// cuda.cu, or nullptr from no_cuda.cpp.
const MseKernels<float>* cuda_mse_kernels();

}  // namespace kernels
