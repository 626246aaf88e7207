// Concatenation along channels and its split. One call moves one operand, so any number of operands works:
// operand [N, channels, pixels] is the slice [first, first + channels) of whole [N, total, pixels].
#pragma once

#include <cstdint>

#include "kernels/base/exec.h"
#include "kernels/base/types.h"

namespace kernels {

struct ConcatSlice {
  int64_t N = 1, pixels = 1;
  int64_t total = 1;     // channels of the whole
  int64_t first = 0;     // first channel of the slice
  int64_t channels = 1;  // channels of the operand
};

template <class T>
struct ConcatKernels {
  using Forward = void (*)(const Exec&, const ConcatSlice&, const T* operand, T* whole);
  /// From the whole's gradient back to an operand's.
  using Backward = void (*)(const Exec&, const ConcatSlice&, const T* d_whole, T* d_operand, GradMode mode);

  Forward forward;
  Backward backward;

  constexpr ConcatKernels(Forward f, Backward b) : forward(f), backward(b) {}
};

/// The kernels of a backend; DeviceUnavailable where this build has none.
template <class T>
const ConcatKernels<T>& concat_kernels(Backend backend);

/// cuda.cu, or nullptr from no_cuda.cpp.
const ConcatKernels<float>* cuda_concat_kernels();

}  // namespace kernels
