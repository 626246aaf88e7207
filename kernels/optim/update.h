// The update of one element, shared by the backends so that they agree bit for bit: in T, in the order of
// operations of PyTorch's single-tensor optimisers, and compiled everywhere without contraction of a
// multiplication and an addition into one. Adam's first moment is a linear interpolation,
// m + (1 - b1) (g - m), taken from the nearer end as torch.lerp.
#pragma once

#include <cmath>

#include "kernels/optim/optim.h"

namespace kernels {

template <class T>
CPM_HOST_DEVICE inline void update(const SgdSegment<T>& step, T g, T& w) {
  w += step.minus_rate * (g + step.decay * w);
}

template <class T>
CPM_HOST_DEVICE inline void update(const SgdSegment<T>& step, T g, T& m, T& w) {
  const T gradient = g + step.decay * w;
  const T old = step.momentum * m;  // not used in the first step, when m holds nothing yet
  m = step.first ? gradient : old + gradient;
  w += step.minus_rate * m;
}

template <class T>
CPM_HOST_DEVICE inline void update(const AdamSegment<T>& step, T g, T& m, T& v, T& w) {
  const bool from_old = step.rest1 < T(0.5);
  const T part = from_old ? step.rest1 : step.rest1 - T(1);
  const T gradient = g + step.decay * w;
  m = (from_old ? m : gradient) + part * (gradient - m);
  v = step.beta2 * v + step.rest2 * gradient * gradient;
  w += step.minus_rate * m / (std::sqrt(v) / step.root2 + step.eps);
}

}  // namespace kernels
