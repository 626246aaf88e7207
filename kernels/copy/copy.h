// Fill, copy and add over flat arrays of `count` elements; arrays do not overlap.
#pragma once

#include <cstdint>

#include "kernels/base/exec.h"
#include "kernels/base/types.h"

namespace kernels {

template <class T>
struct CopyKernels {
  using Fill = void (*)(const Exec&, int64_t count, T value, T* y);
  /// y = x, or y += x with GradMode::Accumulate.
  using Copy = void (*)(const Exec&, int64_t count, const T* x, T* y, GradMode mode);

  Fill fill;
  Copy copy;

  constexpr CopyKernels(Fill f, Copy c) : fill(f), copy(c) {}
};

/// The kernels of a backend; DeviceUnavailable where this build has none.
template <class T>
const CopyKernels<T>& copy_kernels(Backend backend);

/// cuda.cu, or nullptr from no_cuda.cpp.
const CopyKernels<float>* cuda_copy_kernels();

}  // namespace kernels
