// Conversions between integers and f32 / f64, among f32, f64, f16 and bf16 where the result is wider,
// rounding to integral values, and saturation to [0, 1].
//
// Narrow results (f16, bf16, tf32, fp8) are in narrow_float_simd.cpp, integer to integer in move_simd.cpp.
#include "ops/simd_float.h"

namespace vgpu::VGPU_ISA {
namespace {

template <class D>
struct Convert {
  template <class A>
  VGPU_FORCE D operator()(A a) const {
    return static_cast<D>(a);
  }
};
struct ConvertUnsigned {  // both halves are exact as floats, so that only their sum is rounded
  VGPU_FORCE float operator()(uint32_t a) const {
    return static_cast<float>(static_cast<int32_t>(a >> 16)) * 65536.0f +
           static_cast<float>(static_cast<int32_t>(a & 0xFFFF));
  }
};
// By way of the signed conversion. Compilers know tricks for vectors of it that make -0 of 0 when rounding
// down.
VGPU_INLINE float without_sign(float x) {
  return __builtin_fabsf(x);
}
VGPU_INLINE double without_sign(double x) {
  return __builtin_fabs(x);
}
template <class D>
struct ConvertUnsigned64 {
  VGPU_FORCE D operator()(uint64_t a) const {
    const bool large = a >> 63 != 0;
    const D r =
        static_cast<D>(static_cast<int64_t>(large ? a >> 1 | (a & 1) : a));  // the bit lost stays visible
    return without_sign(large ? r + r : r);
  }
};
template <class F, class D, class A>
Status from_integer(Warp& w, const Inst& inst) {
  const FloatMode mode(inst.flags & flag::kRoundMask);
  return unary<F, D, A>(w, inst);
}

// Truncates 0 <= x < 2^32 by way of the signed conversion, which has a vector form; without a branch for its
// sake.
template <class A>
VGPU_INLINE uint32_t to_u32(A x) {
  const uint32_t large = x >= A{0x1p31};
  const A small = x - static_cast<A>(static_cast<int32_t>(large)) * A{0x1p31};
  return static_cast<uint32_t>(static_cast<int32_t>(small)) ^ large << 31;
}

// Float to integer: what lies outside the range becomes its nearest end. NaN becomes 0, but the value with
// the top bit alone where the source is f64 or the destination has 64 bits.
template <class D, class A>
VGPU_INLINE D to_integer(A x) {
  constexpr uint32_t kBits = 8 * sizeof(D) - (kIsSigned<D> ? 1 : 0);
  constexpr A kHigh = A{2} * static_cast<A>(uint64_t{1} << (kBits - 1));
  constexpr A kLow = kIsSigned<D> ? -kHigh : A{0};
  constexpr D kMax = static_cast<D>(~uint64_t{0} >> (64 - kBits));
  constexpr D kMin = kIsSigned<D> ? static_cast<D>(uint64_t{1} << (8 * sizeof(D) - 1)) : D{0};
  constexpr D kTop = static_cast<D>(uint64_t{1} << (8 * sizeof(D) - 1));
  constexpr D kNan = sizeof(A) == 8 || sizeof(D) == 8 ? kTop : D{0};
  const bool below = x <= kLow, above = x >= kHigh, nan = x != x;
  const A inside = x > kLow && x < kHigh ? x : A{0};
  D r;
  if constexpr (sizeof(D) == 8)
    r = static_cast<D>(inside);
  else if constexpr (sizeof(D) == 4 && !kIsSigned<D>)
    r = to_u32(inside);
  else
    r = static_cast<D>(static_cast<int32_t>(inside));
  r = below ? kMin : r;
  r = above ? kMax : r;
  return nan ? kNan : r;
}
VGPU_INLINE float round_integral(float x) {
  return __builtin_rintf(x);
}
VGPU_INLINE double round_integral(double x) {
  return __builtin_rint(x);
}
struct RoundIntegral {
  template <class A>
  VGPU_FORCE A operator()(A x) const {
    return round_integral(x);
  }
  VGPU_FORCE float operator()(float x) const { return canonical(round_integral(x)); }
};
template <class D>
struct Truncate {  // the conversion itself rounds towards zero
  template <class A>
  VGPU_FORCE D operator()(A x) const {
    return to_integer<D>(x);
  }
};
template <class D>
struct RoundTo {
  template <class A>
  VGPU_FORCE D operator()(A x) const {
    return to_integer<D>(round_integral(x));
  }
};
template <class D, class A>
Status float_to_integer(Warp& w, const Inst& inst) {
  if ((inst.flags & flag::kRoundMask) == static_cast<uint16_t>(Round::Zero))
    return unary<Truncate<D>, D, A>(w, inst);
  const FloatMode mode(inst.flags);
  return unary<RoundTo<D>, D, A>(w, inst);
}

template <class T>
Status round_float(Warp& w, const Inst& inst) {
  const FloatMode mode(inst.flags);
  return unary<RoundIntegral, T, T>(w, inst);
}

struct Narrow {
  VGPU_FORCE float operator()(double x) const { return canonical(static_cast<float>(x)); }
};
Status double_to_float(Warp& w, const Inst& inst) {
  const FloatMode mode(inst.flags);
  return unary<Narrow, float, double>(w, inst);
}
Status float_to_double(Warp& w, const Inst& inst) {
  const FloatMode mode(inst.flags & flag::kFtz);
  return unary<Convert<double>, double, float>(w, inst);
}
struct Canonical {
  VGPU_FORCE float operator()(float x) const { return canonical(x); }
};
struct Flush {
  VGPU_FORCE float operator()(float x) const { return canonical(flush(x)); }
};
Status float_to_float(Warp& w, const Inst& inst) {
  return inst.flags & flag::kFtz ? unary<Flush, float, float>(w, inst)
                                 : unary<Canonical, float, float>(w, inst);
}
struct WidenBfloat {
  VGPU_FORCE float operator()(uint16_t x) const { return canonical(bfloat_to_float(x)); }
};
struct WidenBfloatFlush {
  VGPU_FORCE float operator()(uint16_t x) const { return canonical(flush(bfloat_to_float(x))); }
};
Status bfloat_lanes(Warp& w, const Inst& inst) {
  return inst.flags & flag::kFtz ? unary<WidenBfloatFlush, float, uint16_t>(w, inst)
                                 : unary<WidenBfloat, float, uint16_t>(w, inst);
}
Status half_lanes(Warp& w, const Inst& inst) {
  alignas(64) float r[kLanes];
  half_to_float(r, lanes<uint16_t>(w, inst.a));
  store_lanes(w, lanes<float>(w, inst.d), [&](uint32_t i) -> float { return canonical(r[i]); });
  return Status::Next;
}

// An f16 or bf16 that is integral stays exact on its way back.
Status round_half(Warp& w, const Inst& inst) {
  alignas(64) float r[kLanes];
  alignas(64) uint16_t h[kLanes];
  half_to_float(r, lanes<uint16_t>(w, inst.a));
  {
    const FloatMode mode(inst.flags & flag::kRoundMask);
    VGPU_LANE_LOOP r[i] = round_integral(r[i]);
    asm volatile(""
                 :
                 : "r"(r)
                 : "memory");  // r is the function's own: this keeps the loop before the mode's end
  }
  float_to_half<0>(h, r);
  blend(lanes<uint16_t>(w, inst.d), h, w.exec);
  return Status::Next;
}
struct RoundBfloat {
  VGPU_FORCE uint16_t operator()(uint16_t x) const {
    return float_to_bfloat(round_integral(bfloat_to_float(x)));
  }
};
Status round_bfloat(Warp& w, const Inst& inst) {
  const FloatMode mode(inst.flags & flag::kRoundMask);
  return unary<RoundBfloat, uint16_t, uint16_t>(w, inst);
}

// .sat: to [+0, 1], NaN to +0.
struct Saturate {
  template <class T>
  VGPU_FORCE T operator()(T x) const {
    const T low = x > T{0} ? x : T{0};
    return low < T{1} ? low : T{1};
  }
};
template <uint16_t kInfinity, uint16_t kOne>
struct SaturateHalf {
  VGPU_FORCE uint16_t operator()(uint16_t x) const {
    const uint16_t low = static_cast<uint16_t>(x > kInfinity ? 0 : x);  // negative ones are above it, too
    return low < kOne ? low : kOne;
  }
};

// cvt.pack: two saturated integers of imm's low byte bits, below the low bits of c (imm bit 8: signed, bit 9:
// with c).
Status pack_saturated(Warp& w, const Inst& inst) {
  const uint32_t bits = inst.imm & 0xFF;
  const bool is_signed = inst.imm >> 8 & 1, with_c = inst.imm >> 9 & 1;
  const int32_t high = (1 << (bits - is_signed)) - 1, low = is_signed ? -high - 1 : 0;
  const uint32_t field = (1u << bits) - 1;
  const int32_t* a = lanes<int32_t>(w, inst.a);
  const int32_t* b = lanes<int32_t>(w, inst.b);
  const uint32_t* c = with_c ? lanes<uint32_t>(w, inst.c) : nullptr;
  auto saturated = [&](int32_t x) {
    return static_cast<uint32_t>(x < low ? low : x > high ? high : x) & field;
  };
  store_lanes(w, lanes<uint32_t>(w, inst.d), [&](uint32_t i) -> uint32_t {
    const uint32_t pair = saturated(a[i]) << bits | saturated(b[i]);
    return with_c ? pair | c[i] << 2 * bits : pair;
  });
  return Status::Next;
}

}  // namespace

#define VGPU_TO_INTEGER(name, D)                      \
  {"cvt." name ".f32", float_to_integer<D, float>}, { \
    "cvt." name ".f64", float_to_integer<D, double>   \
  }

const HandlerEntry kConvertHandlers[] = {
    {"cvt.f32.s32", from_integer<Convert<float>, float, int32_t>},
    {"cvt.f32.u32", from_integer<ConvertUnsigned, float, uint32_t>},
    {"cvt.f32.s64", from_integer<Convert<float>, float, int64_t>},
    {"cvt.f32.u64", from_integer<ConvertUnsigned64<float>, float, uint64_t>},
    {"cvt.f64.s32", unary<Convert<double>, double, int32_t>},
    {"cvt.f64.u32", unary<Convert<double>, double, uint32_t>},
    {"cvt.f64.s64", from_integer<Convert<double>, double, int64_t>},
    {"cvt.f64.u64", from_integer<ConvertUnsigned64<double>, double, uint64_t>},
    VGPU_TO_INTEGER("s8", int8_t),
    VGPU_TO_INTEGER("u8", uint8_t),
    VGPU_TO_INTEGER("s16", int16_t),
    VGPU_TO_INTEGER("u16", uint16_t),
    VGPU_TO_INTEGER("s32", int32_t),
    VGPU_TO_INTEGER("u32", uint32_t),
    VGPU_TO_INTEGER("s64", int64_t),
    VGPU_TO_INTEGER("u64", uint64_t),
    {"cvt.f32.f64", double_to_float},
    {"cvt.f64.f32", float_to_double},
    {"cvt.f32.f32", float_to_float},
    {"cvt.f32.f16", half_lanes},
    {"cvt.f32.bf16", bfloat_lanes},
    {"round.f32", round_float<float>},
    {"round.f64", round_float<double>},
    {"round.f16", round_half},
    {"round.bf16", round_bfloat},
    {"sat.f32", unary<Saturate, float, float>},
    {"sat.f64", unary<Saturate, double, double>},
    {"sat.f16", unary<SaturateHalf<0x7C00, 0x3C00>, uint16_t, uint16_t>},
    {"sat.bf16", unary<SaturateHalf<0x7F80, 0x3F80>, uint16_t, uint16_t>},
    {"cvt.pack", pack_saturated},
    {nullptr, nullptr},
};
#undef VGPU_TO_INTEGER

}  // namespace vgpu::VGPU_ISA
