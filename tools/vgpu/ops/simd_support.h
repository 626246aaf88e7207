// Lane loops for the handlers, shared by all ops/*_simd.cpp.
//
// A result of every lane is computed, then stored at once where all lanes run, or blended in where some do
// not: the compiler can vectorise the loop either way. Nothing here may trap on the garbage an inactive lane
// holds. A result may lie in the slot of a source that dies there, but only in one of the same element size
// (core/regalloc.h), so that a lane of one never covers another lane of the other.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/warp.h"
#include "ops/handler_table.h"

// For members and operators, where VGPU_INLINE's `static` has no place.
#define VGPU_FORCE inline __attribute__((always_inline))

// A lane reads and writes only its own elements, whatever the pointers look like.
#ifdef __clang__
#pragma clang diagnostic ignored "-Wpass-failed"  // a loop that stays scalar is no mistake
#define VGPU_LANE_LOOP _Pragma("clang loop vectorize(assume_safety)") for (uint32_t i = 0; i < kLanes; ++i)
#else
#define VGPU_LANE_LOOP _Pragma("GCC ivdep") for (uint32_t i = 0; i < kLanes; ++i)
#endif

namespace vgpu::VGPU_ISA {

inline constexpr uint32_t kAllLanes = 0xFFFFFFFFu;

// Integer types by size, for want of <type_traits>.
template <size_t kBytes>
struct IntegerOf;
template <>
struct IntegerOf<1> {
  using Signed = int8_t;
  using Unsigned = uint8_t;
};
template <>
struct IntegerOf<2> {
  using Signed = int16_t;
  using Unsigned = uint16_t;
};
template <>
struct IntegerOf<4> {
  using Signed = int32_t;
  using Unsigned = uint32_t;
};
template <>
struct IntegerOf<8> {
  using Signed = int64_t;
  using Unsigned = uint64_t;
};
template <>
struct IntegerOf<16> {
  using Signed = __int128;
  using Unsigned = unsigned __int128;
};
template <class T>
using Unsigned = typename IntegerOf<sizeof(T)>::Unsigned;
template <class T>
inline constexpr bool kIsSigned = T(-1) < T(0);

// r[i] goes to d[i] for the lanes of `mask`.
template <class T>
VGPU_INLINE void blend(T* d, const T* r, uint32_t mask) {
  auto merge = [&](uint32_t first, __m256i chosen) __attribute__((always_inline)) {
    __m256i* to = reinterpret_cast<__m256i*>(d + first);
    const __m256i fresh = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(r + first));
    _mm256_storeu_si256(to, _mm256_blendv_epi8(_mm256_loadu_si256(to), fresh, chosen));
  };
  if constexpr (sizeof(T) == 4) {
    const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    for (uint32_t k = 0; k < kLanes; k += 8) {
      const __m256i bits = _mm256_set1_epi32(static_cast<int32_t>(mask >> k));
      merge(k, _mm256_cmpeq_epi32(_mm256_and_si256(bits, bit), bit));
    }
  } else if constexpr (sizeof(T) == 8) {
    const __m256i bit = _mm256_setr_epi64x(1, 2, 4, 8);
    for (uint32_t k = 0; k < kLanes; k += 4) {
      const __m256i bits = _mm256_set1_epi64x(static_cast<int64_t>(mask >> k));
      merge(k, _mm256_cmpeq_epi64(_mm256_and_si256(bits, bit), bit));
    }
  } else if constexpr (sizeof(T) == 2) {
    const __m256i bit =
        _mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, INT16_MIN);
    for (uint32_t k = 0; k < kLanes; k += 16) {
      const __m256i bits = _mm256_set1_epi16(static_cast<int16_t>(mask >> k));
      merge(k, _mm256_cmpeq_epi16(_mm256_and_si256(bits, bit), bit));
    }
  } else {
    VGPU_FOR_LANES(mask, i) d[i] = r[i];
  }
}

// d[i] = value(i) for the lanes of w.exec; value() is called for all of them.
template <class D, class Value>
VGPU_INLINE void store_lanes(Warp& w, D* d, Value value) {
  if (w.exec == kAllLanes) {
    VGPU_LANE_LOOP d[i] = value(i);
  } else {
    alignas(64) D r[kLanes];
    VGPU_LANE_LOOP r[i] = value(i);
    blend(d, r, w.exec);
  }
}

// Handlers: d = F()(a, ...) for lane types D (result) and A, B, C.
template <class F, class D, class A>
Status unary(Warp& w, const Inst& inst) {
  const A* a = lanes<A>(w, inst.a);
  store_lanes(w, lanes<D>(w, inst.d), [&](uint32_t i) -> D { return F()(a[i]); });
  return Status::Next;
}

template <class F, class D, class A, class B = A>
Status binary(Warp& w, const Inst& inst) {
  const A* a = lanes<A>(w, inst.a);
  const B* b = lanes<B>(w, inst.b);
  store_lanes(w, lanes<D>(w, inst.d), [&](uint32_t i) -> D { return F()(a[i], b[i]); });
  return Status::Next;
}

template <class F, class D, class A, class B = A, class C = A>
Status ternary(Warp& w, const Inst& inst) {
  const A* a = lanes<A>(w, inst.a);
  const B* b = lanes<B>(w, inst.b);
  const C* c = lanes<C>(w, inst.c);
  store_lanes(w, lanes<D>(w, inst.d), [&](uint32_t i) -> D { return F()(a[i], b[i], c[i]); });
  return Status::Next;
}

// Predicates are masks; those of lanes that do not run stay.
VGPU_INLINE uint32_t read_mask(Warp& w, Ref ref) {
  return *lanes<uint32_t>(w, ref);
}
VGPU_INLINE void write_mask(Warp& w, Ref ref, uint32_t mask) {
  uint32_t* d = lanes<uint32_t>(w, ref);
  *d = (*d & ~w.exec) | (mask & w.exec);
}

// The top bits of 32 lanes as a mask.
VGPU_INLINE uint32_t sign_mask(const int32_t* r) {
  uint32_t mask = 0;
  for (uint32_t k = 0; k < kLanes; k += 8) {
    const __m256 part = _mm256_loadu_ps(reinterpret_cast<const float*>(r + k));
    mask |= static_cast<uint32_t>(_mm256_movemask_ps(part)) << k;
  }
  return mask;
}
VGPU_INLINE uint32_t sign_mask(const int64_t* r) {
  uint32_t mask = 0;
  for (uint32_t k = 0; k < kLanes; k += 4) {
    const __m256d part = _mm256_loadu_pd(reinterpret_cast<const double*>(r + k));
    mask |= static_cast<uint32_t>(_mm256_movemask_pd(part)) << k;
  }
  return mask;
}

}  // namespace vgpu::VGPU_ISA
