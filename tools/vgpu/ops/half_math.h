// Arithmetic of f16 and bf16 values held as floats, each operation rounded once.
//
// A float has 24 significant bits: for f16 (11) and bf16 (8) that is more than twice the width and two bits,
// so a sum rounded to float and then to the narrow format is the sum rounded once. Products of f16 are exact
// in a float; those of bf16 (16 bits) too, unless they are so small (below 2^-134) that the result is zero
// either way. Fused multiply-add is rounded to odd first: the inexact neighbour whose last bit is 1 is never
// a tie of the narrower format, so the second rounding sees every tie as it is.
#pragma once

#include "ops/simd_float.h"

namespace vgpu::VGPU_ISA {

// `nearest` is a value rounded to nearest, `error` has the sign of the exact value minus `nearest` (zero, or
// NaN next to infinities: leave it alone). Stepping the bit pattern away from zero or towards it reaches the
// odd neighbour.
template <class Bits, class Float>
VGPU_INLINE Float to_odd(Float nearest, Float error) {
  const Bits bits = bits_as<Bits>(nearest);
  const Bits sign = bits >> (8 * sizeof(Bits) - 1);
  const Bits up = error > 0 ? 1 : 0, down = error < 0 ? 1 : 0;
  const Bits step = ((up - down) ^ sign) - sign;
  const Bits even = (bits & 1) - 1;  // all ones for an even pattern
  return bits_as<Float>(bits + (step & even));
}

// The exact error of the sum a + b = s (Knuth's two-sum; the compiler must not contract or reorder it).
template <class Float>
VGPU_INLINE Float sum_error(Float a, Float b, Float s) {
  const Float b_part = s - a;
  const Float a_part = s - b_part;
  return (a - a_part) + (b - b_part);
}

// A double rounded to odd as a float. The error is scaled so that its sign survives the conversion.
VGPU_INLINE float double_to_odd_float(double x) {
  const float nearest = static_cast<float>(x);
  const double error = x - static_cast<double>(nearest);
  return to_odd<int32_t>(nearest, static_cast<float>(error * 0x1p300));
}

// The formats: conversions of 32 values, and what integer code needs to know of the bit patterns.
struct Half {
  static constexpr uint16_t kExponent = 0x7C00, kOne = 0x3C00;
  VGPU_INLINE void load(float* d, const uint16_t* a) { half_to_float(d, a); }
  VGPU_INLINE void store(uint16_t* d, const float* a) { float_to_half<0>(d, a); }
  // The product is exact and so is the sum's error: no wider type is needed.
  VGPU_INLINE float fma(float a, float b, float c) {
    const float product = a * b, sum = product + c;
    return to_odd<int32_t>(sum, sum_error(product, c, sum));
  }
};
struct BFloat {
  static constexpr uint16_t kExponent = 0x7F80, kOne = 0x3F80;
  VGPU_INLINE void load(float* d, const uint16_t* a) { VGPU_LANE_LOOP d[i] = bfloat_to_float(a[i]); }
  VGPU_INLINE void store(uint16_t* d, const float* a) { VGPU_LANE_LOOP d[i] = float_to_bfloat(a[i]); }
  VGPU_INLINE float fma(float a, float b, float c) {
    const double product = static_cast<double>(a) * static_cast<double>(b);  // 16 bits, exact
    const double addend = static_cast<double>(c), sum = product + addend;
    return double_to_odd_float(to_odd<int64_t>(sum, sum_error(product, addend, sum)));
  }
};

// Bit patterns of either format.
template <class Format>
VGPU_INLINE bool half_is_nan(uint16_t x) {
  return (x & 0x7FFF) > Format::kExponent;
}
template <class Format>
VGPU_INLINE uint16_t flush_half(uint16_t x) {
  return static_cast<uint16_t>((x & Format::kExponent) == 0 ? x & 0x8000 : x);
}
template <class Format>
VGPU_INLINE uint16_t saturate_half(uint16_t x) {  // to [+0, 1], NaN to +0
  const uint16_t low = static_cast<uint16_t>((x & 0x8000) != 0 || half_is_nan<Format>(x) ? 0 : x);
  return low > Format::kOne ? Format::kOne : low;
}
template <class Format>
VGPU_INLINE uint16_t relu_half(uint16_t x) {  // expects NaN as 0x7fff
  return static_cast<uint16_t>((x & 0x8000) != 0 ? 0 : x);
}

}  // namespace vgpu::VGPU_ISA
