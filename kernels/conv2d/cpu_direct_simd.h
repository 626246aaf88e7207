// Vectors of the SIMD loops of cpu.direct. Everything is in an unnamed namespace, so every instruction set
// that includes this keeps its own copy at link time; no other header with inline functions may be included.
#pragma once

#include <cstdint>

#include "kernels/conv2d/cpu_direct.h"

#define CPM_INLINE inline __attribute__((always_inline))

namespace kernels {
namespace {

template <int kLanes>
struct Simd {
  typedef float Vector __attribute__((vector_size(kLanes * sizeof(float))));

  static CPM_INLINE void load(Vector& v, const float* from) { __builtin_memcpy(&v, from, sizeof v); }
  static CPM_INLINE void store(const Vector& v, float* to) { __builtin_memcpy(to, &v, sizeof v); }
};

}  // namespace
}  // namespace kernels
