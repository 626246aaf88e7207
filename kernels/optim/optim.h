// Optimiser updates over one span of a flat parameter buffer, with PyTorch's formulas (torch.optim.SGD,
// Adam):
//   SGD:  g += decay * w; m = first ? g : momentum * m + g; w -= lr * m          (momentum 0: w -= lr * g)
//   Adam: g += decay * w; m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2;
//         w -= lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps)             (Kingma & Ba 2015,
//         algorithm 1)
// Hyperparameters arrive in double; the arithmetic is in T, element by element, so threads do not matter.
#pragma once

#include <cstdint>

#include "kernels/base/exec.h"
#include "kernels/base/types.h"

namespace kernels {

struct SgdStep {
  double lr = 0, momentum = 0, decay = 0;
  bool first = true;  // step 1: the momentum buffer starts as the gradient
};

struct AdamStep {
  double lr = 0, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, decay = 0;
  int64_t step = 1;  // t, counts from 1
};

/// Arrays of `count` elements: w the weights, g their gradient (read only), m v the state.
template <class T>
struct OptimKernels {
  using Sgd = void (*)(const Exec&, int64_t count, const SgdStep&, const T* g, T* m, T* w);
  using Adam = void (*)(const Exec&, int64_t count, const AdamStep&, const T* g, T* m, T* v, T* w);

  Sgd sgd;
  Adam adam;

  constexpr OptimKernels(Sgd s, Adam a) : sgd(s), adam(a) {}
};

/// The kernels of a backend; DeviceUnavailable where this build has none.
template <class T>
const OptimKernels<T>& optim_kernels(Backend backend);

}  // namespace kernels
