// Stores: from registers of the same or a greater size, whose low bytes count, to every space.
//
// Lanes that write to one address do so in ascending order: the highest one's value stays.
#include "ops/memory_resolve.h"

namespace vgpu::VGPU_ISA {
namespace {

template <class T>
VGPU_INLINE T* pointer(uint64_t address) {
  return reinterpret_cast<T*>(address);
}

template <class M, class R>
VGPU_INLINE M narrow(R value) {
  if constexpr (sizeof(M) == 16)
    return value;
  else
    return static_cast<M>(value);
}

// Vectors of four 32-bit elements, all lanes.
template <class At>
VGPU_INLINE void scatter_v4(const float* const* a, At at) {
  for (uint32_t i = 0; i < kLanes; i += 4) {
    const __m128 r0 = _mm_loadu_ps(a[0] + i), r1 = _mm_loadu_ps(a[1] + i);
    const __m128 r2 = _mm_loadu_ps(a[2] + i), r3 = _mm_loadu_ps(a[3] + i);
    const __m128 t0 = _mm_unpacklo_ps(r0, r1), t1 = _mm_unpackhi_ps(r0, r1);
    const __m128 t2 = _mm_unpacklo_ps(r2, r3), t3 = _mm_unpackhi_ps(r2, r3);
    _mm_storeu_ps(static_cast<float*>(at(i)), _mm_movelh_ps(t0, t2));
    _mm_storeu_ps(static_cast<float*>(at(i + 1)), _mm_movehl_ps(t2, t0));
    _mm_storeu_ps(static_cast<float*>(at(i + 2)), _mm_movelh_ps(t1, t3));
    _mm_storeu_ps(static_cast<float*>(at(i + 3)), _mm_movehl_ps(t3, t1));
  }
}

template <class At>
VGPU_INLINE void scatter_v2(const float* const* a, At at) {
  for (uint32_t i = 0; i < kLanes; i += 4) {
    const __m128 r0 = _mm_loadu_ps(a[0] + i), r1 = _mm_loadu_ps(a[1] + i);
    const __m128d low = _mm_castps_pd(_mm_unpacklo_ps(r0, r1)), high = _mm_castps_pd(_mm_unpackhi_ps(r0, r1));
    _mm_storel_pd(static_cast<double*>(at(i)), low);
    _mm_storeh_pd(static_cast<double*>(at(i + 1)), low);
    _mm_storel_pd(static_cast<double*>(at(i + 2)), high);
    _mm_storeh_pd(static_cast<double*>(at(i + 3)), high);
  }
}

template <class M, class R>
VGPU_INLINE void store_row(M* to, const R* a) {
  if constexpr (sizeof(M) == sizeof(R))
    memcpy(to, a, sizeof(M) * kLanes);
  else
    VGPU_LANE_LOOP to[i] = narrow<M>(a[i]);
}

template <class M, class R, uint32_t N>
VGPU_INLINE void store_each(const R* const* a, const Resolved& r, uint32_t mask) {
  const auto at = [&](uint32_t i) __attribute__((always_inline))->void* {
    return pointer<void>(lane_address<sizeof(M) * N>(r, i));
  };
  if constexpr (sizeof(M) == 4 && sizeof(R) == 4 && (N == 2 || N == 4)) {
    if (mask == kAllLanes) {
      const float* from[N];
      for (uint32_t e = 0; e < N; ++e) from[e] = reinterpret_cast<const float*>(a[e]);
      if constexpr (N == 4)
        scatter_v4(from, at);
      else
        scatter_v2(from, at);
      return;
    }
  }
  if (mask == kAllLanes) {
    for (uint32_t i = 0; i < kLanes; ++i)
      for (uint32_t e = 0; e < N; ++e) static_cast<M*>(at(i))[e] = narrow<M>(a[e][i]);
    return;
  }
  VGPU_FOR_LANES(mask, i) {
    for (uint32_t e = 0; e < N; ++e) static_cast<M*>(at(i))[e] = narrow<M>(a[e][i]);
  }
}

// M in memory, R in registers, N of them.
template <class M, class R, uint32_t N>
Status store(Warp& w, const Inst& inst) {
  if (w.exec == 0) return Status::Next;
  Resolved r;
  resolve<sizeof(M) * N>(w, inst, AccessKind::Store, sizeof(M), r);
  const R* a[N];
  if constexpr (N == 1)
    a[0] = lanes<R>(w, inst.d);
  else
    for (uint32_t e = 0; e < N; ++e) a[e] = lanes<R>(w, w.refs[inst.extra + e]);
  if (r.pattern == Pattern::Uniform) {
    const uint32_t last = 31 - static_cast<uint32_t>(__builtin_clz(w.exec));
    for (uint32_t e = 0; e < N; ++e) pointer<M>(r.first)[e] = narrow<M>(a[e][last]);
  } else if (N == 1 && r.pattern == Pattern::Contiguous) {
    store_row(pointer<M>(r.first), a[0]);
  } else {
    store_each<M, R, N>(a, r, w.exec);
  }
  return Status::Next;
}

// A parameter of a call, or a device function's result: lane-major bytes in the window.
template <class M, class R, uint32_t N>
Status store_area(Warp& w, const Inst& inst) {
  uint8_t* area = lanes<uint8_t>(w, inst.a) + inst.imm;
  for (uint32_t e = 0; e < N; ++e) {
    const R* a = lanes<R>(w, N == 1 ? inst.d : w.refs[inst.extra + e]);
    VGPU_FOR_LANES(w.exec, i) {
      const M value = narrow<M>(a[i]);
      memcpy(area + size_t{i} * inst.b + e * sizeof(M), &value, sizeof(M));
    }
  }
  return Status::Next;
}

}  // namespace

// "st." or "starea.", bytes in memory, bytes in the register, vector width.
#define VGPU_STORE(NAME, M, R)                                                         \
  {"st." NAME ".v1", store<M, R, 1>}, {"st." NAME ".v2", store<M, R, 2>},              \
      {"st." NAME ".v4", store<M, R, 4>}, {"starea." NAME ".v1", store_area<M, R, 1>}, \
      {"starea." NAME ".v2", store_area<M, R, 2>}, {                                   \
    "starea." NAME ".v4", store_area<M, R, 4>                                          \
  }

const HandlerEntry kStoreHandlers[] = {
    VGPU_STORE("1.1", uint8_t, uint8_t),
    VGPU_STORE("1.2", uint8_t, uint16_t),
    VGPU_STORE("1.4", uint8_t, uint32_t),
    VGPU_STORE("1.8", uint8_t, uint64_t),
    VGPU_STORE("2.2", uint16_t, uint16_t),
    VGPU_STORE("2.4", uint16_t, uint32_t),
    VGPU_STORE("2.8", uint16_t, uint64_t),
    VGPU_STORE("4.4", uint32_t, uint32_t),
    VGPU_STORE("4.8", uint32_t, uint64_t),
    VGPU_STORE("8.8", uint64_t, uint64_t),
    {"st.4.4.v8", store<uint32_t, uint32_t, 8>},
    {"st.16.16.v1", store<Bytes16, Bytes16, 1>},
    {"starea.16.16.v1", store_area<Bytes16, Bytes16, 1>},
    {nullptr, nullptr},
};

}  // namespace vgpu::VGPU_ISA
