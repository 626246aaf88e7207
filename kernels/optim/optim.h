// Optimiser updates of a whole flat parameter buffer in one launch, with PyTorch's formulas (torch.optim.SGD,
// Adam):
//   SGD:  g += decay * w; m = first ? g : momentum * m + g; w -= lr * m          (momentum 0: w -= lr * g)
//   Adam: g += decay * w; m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2;
//         w -= lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps)             (Kingma & Ba 2015,
//         algorithm 1)
// What a step does to each parameter is a table of segments that the host prepares in double and rounds once
// to T. Kernels read everything that changes from step to step out of that table, in memory of their own
// backend, so that a recorded launch can be replayed. The arithmetic is in T, element by element, the same
// operations in the same order on every backend (update.h): the same bits everywhere.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/base/exec.h"
#include "kernels/base/segments.h"
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

/// A step of SGD on one segment, in the scalars of the kernel.
template <class T>
struct alignas(16) SgdSegment : Segment {
  T minus_rate = 0, momentum = 0, decay = 0;
  int32_t first = 0;
};

/// A step of Adam on one segment. rest = 1 - beta, root2 = sqrt(1 - beta2^t), minus_rate = -lr / (1 -
/// beta1^t).
template <class T>
struct alignas(16) AdamSegment : Segment {
  T minus_rate = 0, rest1 = 0, beta2 = 0, rest2 = 0, root2 = 0, eps = 0, decay = 0;
};

/// Internal error unless the segment begins at a multiple of kSegmentAlign.
template <class T>
SgdSegment<T> sgd_segment(Segment segment, const SgdStep& step);
template <class T>
AdamSegment<T> adam_segment(Segment segment, const AdamStep& step);

/// A step's segments, ascending and disjoint, in memory of the kernel's backend.
template <class S>
struct SegmentTable {
  const S* segments = nullptr;
  int64_t count = 0;
};

/// What a step did to a segment's weights, for the ratio of update to weight.
struct UpdateSums {
  double change = 0, weight = 0;  // sums of (w after - w before)^2 and of (w before)^2
};

/// Flat arrays of `count` elements, 16-byte aligned, that do not overlap: w the weights, g their gradient
/// (read only), m and v the state. Elements outside all segments are left alone.
template <class T>
struct OptimArrays {
  int64_t count = 0;
  const T* g = nullptr;
  T* m = nullptr;  // SGD: null for momentum 0
  T* v = nullptr;  // Adam
  T* w = nullptr;
  UpdateSums* sums = nullptr;  // [segments], or null. Same bits for any thread count and from run to run
};

template <class T>
struct OptimKernels {
  using Sgd = void (*)(const Exec&, SegmentTable<SgdSegment<T>>, const OptimArrays<T>&);
  using Adam = void (*)(const Exec&, SegmentTable<AdamSegment<T>>, const OptimArrays<T>&);

  /// Bytes of exec.workspace that an update with `sums` needs; without, none.
  using Workspace = size_t (*)(int64_t elements, int64_t segments);

  Sgd sgd;
  Adam adam;
  Workspace workspace;

  constexpr OptimKernels(Sgd s, Adam a, Workspace w) : sgd(s), adam(a), workspace(w) {}
};

/// The kernels of a backend; DeviceUnavailable where this build has none.
template <class T>
const OptimKernels<T>& optim_kernels(Backend backend);

/// cuda.cu, or nullptr from no_cuda.cpp.
const OptimKernels<float>* cuda_optim_kernels();

}  // namespace kernels
