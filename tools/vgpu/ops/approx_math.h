// The functions PTX calls .approx, for float arguments: computed in double, rounded to float by the caller.
//
// Errors stay below 2^-36 of the result, so the float is the nearest one but for rare near-ties: better than
// any GPU, whose last bits no CPU can imitate. Everything is straight-line code on one value that a compiler
// turns into SIMD loops: selections are integer masks, roundings to integers are additions of kMagic.
#pragma once

#include "ops/simd_float.h"

namespace vgpu::VGPU_ISA {

inline constexpr double kMagic = 0x1.8p52;  // x + kMagic: the nearest integer, in the low bits of the pattern

VGPU_INLINE double choose(bool condition, double yes, double no) {
  const uint64_t mask = condition ? ~uint64_t{0} : 0;
  return bits_as<double>((bits_as<uint64_t>(yes) & mask) | (bits_as<uint64_t>(no) & ~mask));
}

// 2^x, to +0 and infinity beyond the range of floats; a NaN stays one.
VGPU_INLINE double approx_exp2(double x) {
  const double in_range = choose(x < -1000.0, -1000.0, choose(x > 1000.0, 1000.0, x));
  const double shifted = in_range + kMagic;
  const double t = (in_range - (shifted - kMagic)) * 0x1.62e42fefa39efp-1;  // ln 2; |t| <= 0.347
  double p = 1.0 / 3628800;                                                 // the exponential series
  p = __builtin_fma(p, t, 1.0 / 362880);
  p = __builtin_fma(p, t, 1.0 / 40320);
  p = __builtin_fma(p, t, 1.0 / 5040);
  p = __builtin_fma(p, t, 1.0 / 720);
  p = __builtin_fma(p, t, 1.0 / 120);
  p = __builtin_fma(p, t, 1.0 / 24);
  p = __builtin_fma(p, t, 1.0 / 6);
  p = __builtin_fma(p, t, 0.5);
  p = __builtin_fma(p, t, 1.0);
  p = __builtin_fma(p, t, 1.0);
  return bits_as<double>(bits_as<uint64_t>(p) + (bits_as<uint64_t>(shifted) << 52));
}

// log2 x: -infinity for zeros, NaN below them. x comes from a float and so is never subnormal.
VGPU_INLINE double approx_log2(double x) {
  const uint64_t bits = bits_as<uint64_t>(x);
  const uint64_t root_half = 0x3FE6A09E00000000u;  // mantissas are brought to [sqrt 1/2, sqrt 2)
  const uint64_t shift = (bits - root_half) & 0xFFF0000000000000u;
  const double m = bits_as<double>(bits - shift);
  // The exponent, arithmetically shifted down, as a double.
  const double exponent =
      bits_as<double>(((shift >> 52) ^ 0x800) + bits_as<uint64_t>(0x1p52)) - (0x1p52 + 2048.0);
  const double s = (m - 1.0) / (m + 1.0), z = s * s;  // log m = 2 artanh s, |s| <= 0.172
  double p = 1.0 / 15;
  p = __builtin_fma(p, z, 1.0 / 13);
  p = __builtin_fma(p, z, 1.0 / 11);
  p = __builtin_fma(p, z, 1.0 / 9);
  p = __builtin_fma(p, z, 1.0 / 7);
  p = __builtin_fma(p, z, 1.0 / 5);
  p = __builtin_fma(p, z, 1.0 / 3);
  p = __builtin_fma(p, z, 1.0);
  const double infinity = __builtin_inf();
  double result = exponent + p * s * 0x1.71547652b82fep+1;  // 2 / ln 2
  result = choose(x == infinity, infinity, result);
  result = choose(x == 0.0, -infinity, result);
  return choose(!(x >= 0.0), __builtin_nan(""), result);
}

// sin(x + quarter * pi/2) for |x| <= kTrigRange.
inline constexpr double kTrigRange = 0x1p28;
VGPU_INLINE double approx_sin(double x, uint64_t quarter) {
  const double shifted = x * 0x1.45f306dc9c883p-1 + kMagic;  // 2 / pi
  const double turns = shifted - kMagic;
  double r = __builtin_fma(-turns, 0x1.921fb54442d18p0, x);  // pi/2 in two parts; the first product is exact
  r = __builtin_fma(-turns, 0x1.1a62633145c07p-54, r);
  const double z = r * r;
  double s = 1.0 / 6227020800;
  s = __builtin_fma(s, z, -1.0 / 39916800);
  s = __builtin_fma(s, z, 1.0 / 362880);
  s = __builtin_fma(s, z, -1.0 / 5040);
  s = __builtin_fma(s, z, 1.0 / 120);
  s = __builtin_fma(s, z, -1.0 / 6);
  s = r + r * z * s;
  double c = -1.0 / 87178291200;
  c = __builtin_fma(c, z, 1.0 / 479001600);
  c = __builtin_fma(c, z, -1.0 / 3628800);
  c = __builtin_fma(c, z, 1.0 / 40320);
  c = __builtin_fma(c, z, -1.0 / 720);
  c = __builtin_fma(c, z, 1.0 / 24);
  c = __builtin_fma(c, z, -0.5);
  c = 1.0 + z * c;
  const uint64_t quadrant = bits_as<uint64_t>(shifted) + quarter;
  const double value = choose((quadrant & 1) != 0, c, s);
  // The sign of zero arguments must survive r's fused subtraction, hence the exact zero below.
  const double signed_value = bits_as<double>(bits_as<uint64_t>(value) ^ (quadrant >> 1 & 1) << 63);
  return choose(x == 0.0 && quarter == 0, x, signed_value);
}

VGPU_INLINE double approx_tanh(double x) {
  const uint64_t sign = bits_as<uint64_t>(x) & 0x8000000000000000u;
  const double magnitude = bits_as<double>(bits_as<uint64_t>(x) ^ sign);
  const double e = approx_exp2(magnitude * -0x1.71547652b82fep+1);  // exp(-2 |x|)
  const double far = (1.0 - e) / (1.0 + e);
  const double z = magnitude * magnitude;  // near zero the difference above cancels: the Taylor series
  double p = 62.0 / 2835;
  p = __builtin_fma(p, z, -17.0 / 315);
  p = __builtin_fma(p, z, 2.0 / 15);
  p = __builtin_fma(p, z, -1.0 / 3);
  const double near = magnitude + magnitude * z * p;
  return bits_as<double>(bits_as<uint64_t>(choose(magnitude < 0.0625, near, far)) | sign);
}

}  // namespace vgpu::VGPU_ISA
