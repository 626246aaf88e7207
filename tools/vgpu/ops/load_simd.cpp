// Loads: from every space into registers of the same or a greater size, one element or a vector.
//
// There is one way of moving the data for each pattern of addresses: one value for all lanes, a row, or lane
// by lane; vectors of 32-bit elements are transposed in registers, eight lanes at a time.
#include "ops/memory_resolve.h"

namespace vgpu::VGPU_ISA {
namespace {

template <class T>
VGPU_INLINE const T* pointer(uint64_t address) {
  return reinterpret_cast<const T*>(address);
}

// A memory element as a register holds it.
template <class R, class M>
VGPU_INLINE R widen(M value) {
  if constexpr (sizeof(M) == 16)
    return value;
  else
    return static_cast<R>(value);
}

template <class R>
VGPU_INLINE void fill(R* d, R value, uint32_t mask) {
  if (mask == kAllLanes) {
    for (uint32_t i = 0; i < kLanes; ++i) d[i] = value;
  } else if constexpr (sizeof(R) == 16) {
    VGPU_FOR_LANES(mask, i) d[i] = value;
  } else {
    alignas(64) R all[kLanes];
    for (uint32_t i = 0; i < kLanes; ++i) all[i] = value;
    blend(d, all, mask);
  }
}

// Two 16-byte rows of lanes i and i + 4, as one vector.
VGPU_INLINE __m256 two_rows(const void* low, const void* high) {
  return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(static_cast<const float*>(low))),
                              _mm_loadu_ps(static_cast<const float*>(high)), 1);
}

// Vectors of four 32-bit elements, all lanes: at(i) is lane i's address.
template <class At>
VGPU_INLINE void gather_v4(float* const* d, At at) {
  for (uint32_t i = 0; i < kLanes; i += 8) {
    const __m256 r0 = two_rows(at(i), at(i + 4)), r1 = two_rows(at(i + 1), at(i + 5));
    const __m256 r2 = two_rows(at(i + 2), at(i + 6)), r3 = two_rows(at(i + 3), at(i + 7));
    const __m256 t0 = _mm256_unpacklo_ps(r0, r1), t1 = _mm256_unpackhi_ps(r0, r1);
    const __m256 t2 = _mm256_unpacklo_ps(r2, r3), t3 = _mm256_unpackhi_ps(r2, r3);
    _mm256_storeu_ps(d[0] + i, _mm256_shuffle_ps(t0, t2, 0x44));
    _mm256_storeu_ps(d[1] + i, _mm256_shuffle_ps(t0, t2, 0xEE));
    _mm256_storeu_ps(d[2] + i, _mm256_shuffle_ps(t1, t3, 0x44));
    _mm256_storeu_ps(d[3] + i, _mm256_shuffle_ps(t1, t3, 0xEE));
  }
}

template <class At>
VGPU_INLINE void gather_v2(float* const* d, At at) {
  for (uint32_t i = 0; i < kLanes; i += 4) {
    const auto pair = [&](uint32_t k) __attribute__((always_inline)) {
      const __m128d low = _mm_load_sd(static_cast<const double*>(at(k)));
      return _mm_castpd_ps(_mm_loadh_pd(low, static_cast<const double*>(at(k + 1))));
    };
    const __m128 p0 = pair(i), p1 = pair(i + 2);
    _mm_storeu_ps(d[0] + i, _mm_shuffle_ps(p0, p1, 0x88));
    _mm_storeu_ps(d[1] + i, _mm_shuffle_ps(p0, p1, 0xDD));
  }
}

template <class M, class R>
VGPU_INLINE void load_row(R* d, const M* from) {
  if constexpr (sizeof(M) == sizeof(R))
    memcpy(d, from, sizeof(M) * kLanes);
  else
    VGPU_LANE_LOOP d[i] = widen<R>(from[i]);
}

template <class T>
VGPU_INLINE void load_half(T* d, const T* from, bool row) {
  if (row) {
    memcpy(d, from, 16 * sizeof(T));
  } else {
    const T value = *from;
    for (uint32_t i = 0; i < 16; ++i) d[i] = value;
  }
}

template <class M, class R, uint32_t N>
VGPU_INLINE void load_each(R* const* d, const Resolved& r, uint32_t mask) {
  const auto at = [&](uint32_t i) __attribute__((always_inline))->const void* {
    return pointer<void>(lane_address<sizeof(M) * N>(r, i));
  };
  if constexpr (sizeof(M) == 4 && sizeof(R) == 4 && (N == 2 || N == 4)) {
    if (mask == kAllLanes) {
      float* to[N];
      for (uint32_t e = 0; e < N; ++e) to[e] = reinterpret_cast<float*>(d[e]);
      if constexpr (N == 4)
        gather_v4(to, at);
      else
        gather_v2(to, at);
      return;
    }
  }
  if (mask == kAllLanes) {
    for (uint32_t i = 0; i < kLanes; ++i)
      for (uint32_t e = 0; e < N; ++e) d[e][i] = widen<R>(static_cast<const M*>(at(i))[e]);
    return;
  }
  VGPU_FOR_LANES(mask, i) {
    for (uint32_t e = 0; e < N; ++e) d[e][i] = widen<R>(static_cast<const M*>(at(i))[e]);
  }
}

// M in memory, R in registers, N of them.
template <class M, class R, uint32_t N>
Status load(Warp& w, const Inst& inst) {
  if (w.exec == 0) return Status::Next;
  constexpr uint32_t kBytes = sizeof(M) * N;
  Resolved r;
  constexpr bool kHalves = N == 1 && sizeof(M) == 4 && sizeof(R) == 4;
  resolve<kBytes, kHalves>(w, inst, AccessKind::Load, sizeof(M), r);
  R* d[N];
  if constexpr (N == 1)
    d[0] = lanes<R>(w, inst.d);
  else
    for (uint32_t e = 0; e < N; ++e) d[e] = lanes<R>(w, w.refs[inst.extra + e]);
  if (kHalves && r.in_halves) {
    for (uint32_t h = 0; h < 2; ++h) load_half(d[0] + 16 * h, pointer<R>(r.half[h]), r.half_row[h]);
  } else if (r.pattern == Pattern::Uniform) {
    M value[N];
    memcpy(value, pointer<M>(r.first), kBytes);
    for (uint32_t e = 0; e < N; ++e) fill(d[e], widen<R>(value[e]), w.exec);
  } else if (N == 1 && r.pattern == Pattern::Contiguous) {
    load_row(d[0], pointer<M>(r.first));
  } else {
    load_each<M, R, N>(d, r, w.exec);
  }
  return Status::Next;
}

// A device function's parameter: lane-major bytes in the window.
template <class M, class R, uint32_t N>
Status load_area(Warp& w, const Inst& inst) {
  const uint8_t* area = lanes<uint8_t>(w, inst.a) + inst.imm;
  for (uint32_t e = 0; e < N; ++e, area += sizeof(M)) {
    R* d = lanes<R>(w, N == 1 ? inst.d : w.refs[inst.extra + e]);
    const auto copy = [&](uint32_t i) __attribute__((always_inline)) {
      M value;
      memcpy(&value, area + size_t{i} * inst.b, sizeof(M));
      d[i] = widen<R>(value);
    };
    if (w.exec == kAllLanes) {
      for (uint32_t i = 0; i < kLanes; ++i) copy(i);
    } else {
      VGPU_FOR_LANES(w.exec, i) copy(i);
    }
  }
  return Status::Next;
}

}  // namespace

// "ld." or "ldarea.", u or s and bytes in memory, bytes in the register, vector width.
#define VGPU_LOAD(NAME, M, R)                                                                              \
  {"ld." NAME ".v1", load<M, R, 1>}, {"ld." NAME ".v2", load<M, R, 2>}, {"ld." NAME ".v4", load<M, R, 4>}, \
      {"ldarea." NAME ".v1", load_area<M, R, 1>}, {"ldarea." NAME ".v2", load_area<M, R, 2>}, {            \
    "ldarea." NAME ".v4", load_area<M, R, 4>                                                               \
  }

const HandlerEntry kLoadHandlers[] = {
    VGPU_LOAD("u1.1", uint8_t, uint8_t),
    VGPU_LOAD("u1.2", uint8_t, uint16_t),
    VGPU_LOAD("u1.4", uint8_t, uint32_t),
    VGPU_LOAD("u1.8", uint8_t, uint64_t),
    VGPU_LOAD("s1.2", int8_t, int16_t),
    VGPU_LOAD("s1.4", int8_t, int32_t),
    VGPU_LOAD("s1.8", int8_t, int64_t),
    VGPU_LOAD("u2.2", uint16_t, uint16_t),
    VGPU_LOAD("u2.4", uint16_t, uint32_t),
    VGPU_LOAD("u2.8", uint16_t, uint64_t),
    VGPU_LOAD("s2.4", int16_t, int32_t),
    VGPU_LOAD("s2.8", int16_t, int64_t),
    VGPU_LOAD("u4.4", uint32_t, uint32_t),
    VGPU_LOAD("u4.8", uint32_t, uint64_t),
    VGPU_LOAD("s4.8", int32_t, int64_t),
    VGPU_LOAD("u8.8", uint64_t, uint64_t),
    {"ld.u4.4.v8", load<uint32_t, uint32_t, 8>},
    {"ld.u16.16.v1", load<Bytes16, Bytes16, 1>},
    {"ldarea.u16.16.v1", load_area<Bytes16, Bytes16, 1>},
    {nullptr, nullptr},
};

}  // namespace vgpu::VGPU_ISA
