// Floating-point helpers of the ops/*_simd.cpp: rounding and flush-to-zero, bit patterns, half precision.
//
// Handlers rely on the default MXCSR (round to nearest, nothing flushed, exceptions masked): whoever runs
// kernels on a thread holds a DefaultFloatMode (core/float_mode.h) meanwhile.
#pragma once

#include "ops/simd_support.h"

namespace vgpu::VGPU_ISA {

inline constexpr uint32_t kDefaultMxcsr = 0x1F80;

// Sets rounding and flushing as Inst::flags say, for as long as it lives. The memory clobbers keep the lane
// loop, which loads its inputs and stores its results, between the two changes.
class FloatMode {
 public:
  VGPU_FORCE explicit FloatMode(uint32_t flags) {
    const uint32_t control =
        0x9Cu >> 2 * (flags & flag::kRoundMask) & 3;  // nearest 0, zero 3, down 1, up 2, nearest 0
    mxcsr_ = kDefaultMxcsr | control << 13 | (flags & flag::kFtz ? 0x8040u : 0u);
    if (mxcsr_ != kDefaultMxcsr) load(mxcsr_);
  }
  VGPU_FORCE ~FloatMode() {
    if (mxcsr_ != kDefaultMxcsr) load(kDefaultMxcsr);
  }
  FloatMode(const FloatMode&) = delete;
  FloatMode& operator=(const FloatMode&) = delete;

 private:
  VGPU_FORCE static void load(uint32_t value) { asm volatile("ldmxcsr %0" : : "m"(value) : "memory"); }
  uint32_t mxcsr_;
};

template <class To, class From>
VGPU_INLINE To bits_as(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  memcpy(&to, &from, sizeof(to));
  return to;
}

// PTX: an f32 instruction whose result is NaN gives 0x7fffffff.
VGPU_INLINE float canonical(float x) {
  return x == x ? x : bits_as<float>(0x7FFFFFFFu);
}

// Subnormals become zero of the same sign, by integer operations.
VGPU_INLINE float flush(float x) {
  const uint32_t bits = bits_as<uint32_t>(x);
  return bits_as<float>((bits & 0x7F800000u) == 0 ? bits & 0x80000000u : bits);
}

// 32 halves to floats (exact) and back; kMode is an immediate of vcvtps2ph: 0 nearest, 1 down, 2 up, 3 zero.
VGPU_INLINE void half_to_float(float* d, const uint16_t* a) {
  for (uint32_t k = 0; k < kLanes; k += 8)
    _mm256_storeu_ps(d + k, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(a + k))));
}
template <int kMode>
VGPU_INLINE void float_to_half(uint16_t* d, const float* a) {
  const __m128i infinity = _mm_set1_epi16(0x7C00), magnitude = _mm_set1_epi16(0x7FFF);
  for (uint32_t k = 0; k < kLanes; k += 8) {
    const __m128i h = _mm256_cvtps_ph(_mm256_loadu_ps(a + k), kMode | _MM_FROUND_NO_EXC);
    const __m128i nan =
        _mm_cmpgt_epi16(_mm_and_si128(h, magnitude), infinity);  // becomes 0x7fff, as PTX has it
    _mm_storeu_si128(reinterpret_cast<__m128i*>(d + k), _mm_blendv_epi8(h, magnitude, nan));
  }
}

// bfloat16: the upper half of a float.
VGPU_INLINE float bfloat_to_float(uint16_t x) {
  return bits_as<float>(static_cast<uint32_t>(x) << 16);
}
VGPU_INLINE uint16_t float_to_bfloat(float x) {  // to nearest even; NaN becomes 0x7fff
  const uint32_t bits = bits_as<uint32_t>(x);
  const uint32_t rounded = (bits + 0x7FFFu + (bits >> 16 & 1)) >> 16;
  return static_cast<uint16_t>((bits & 0x7FFFFFFFu) > 0x7F800000u ? 0x7FFFu : rounded);
}

}  // namespace vgpu::VGPU_ISA
