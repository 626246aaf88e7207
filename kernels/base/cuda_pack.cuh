// Packs of floats: what one memory access of a thread moves, four (16 bytes) where addresses are aligned, one
// otherwise. A kernel written for a pack of kWidth serves both; the host asks aligned16() which may run.
#pragma once

#include <cstdint>

namespace kernels::cuda {

/// The width of the packs that 16-byte aligned arrays allow.
inline constexpr int kWide = 4;

template <int kWidth>
struct alignas(kWidth * sizeof(float)) Pack {
  float at[kWidth];
};

/// True where packs of kWide may be accessed at all of these addresses.
template <class... Pointers>
bool aligned16(Pointers... pointers) {
  return ((reinterpret_cast<uintptr_t>(pointers) % 16 == 0) && ...);
}

#ifdef __CUDACC__
/// `from` is aligned to the pack.
template <int kWidth>
__device__ Pack<kWidth> load(const float* from) {
  return *reinterpret_cast<const Pack<kWidth>*>(from);
}

/// `to` is aligned to the pack. Intrinsics, because nvcc takes some plain stores of a pack apart.
template <int kWidth>
__device__ void store(float* to, const Pack<kWidth>& value) {
  const auto& at = value.at;
  if constexpr (kWidth == 1) __stwb(to, at[0]);
  if constexpr (kWidth == 2) __stwb(reinterpret_cast<float2*>(to), float2{at[0], at[1]});
  if constexpr (kWidth == 4) __stwb(reinterpret_cast<float4*>(to), float4{at[0], at[1], at[2], at[3]});
}

/// Writes a gradient: to = value, or to += value, where the sum is not fused with a product inside `value`,
/// so that the bits are the CPU's. `to` is aligned to the pack and not read unless `add`.
template <int kWidth>
__device__ void put(float* to, Pack<kWidth> value, bool add) {
  if (add) {
    const Pack<kWidth> before = load<kWidth>(to);
    for (int j = 0; j < kWidth; ++j) value.at[j] = __fadd_rn(before.at[j], value.at[j]);
  }
  store(to, value);
}
#endif

}  // namespace kernels::cuda
