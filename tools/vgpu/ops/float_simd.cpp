// f32 and f64 instructions: arithmetic, minimum and maximum, sign operations, classification.
//
// Each arithmetic instruction has two handlers: the plain one (round to nearest, no .ftz, no .sat) with
// nothing but the lane loop, and "NAME.mode", which obeys Inst::flags through MXCSR. f32 results that are NaN
// become 0x7fffffff; f64 keeps the payload, as IEEE processors do. The approximations are in approx_math.h.
#include "ops/approx_math.h"
#include "ops/float_flags.h"

namespace vgpu::VGPU_ISA {

// Beside the overload for float: within the unnamed namespace it would hide that one.
VGPU_INLINE double canonical(double x) {
  return x;
}

namespace {

struct Add {
  template <class T>
  VGPU_FORCE T operator()(T a, T b) const {
    return canonical(a + b);
  }
};
struct Subtract {
  template <class T>
  VGPU_FORCE T operator()(T a, T b) const {
    return canonical(a - b);
  }
};
struct Multiply {
  template <class T>
  VGPU_FORCE T operator()(T a, T b) const {
    return canonical(a * b);
  }
};
struct Divide {
  template <class T>
  VGPU_FORCE T operator()(T a, T b) const {
    return canonical(a / b);
  }
};
// A GPU multiplies by the reciprocal, which for a divisor above 2^126 is a subnormal it takes for zero.
// Documented.
struct ApproximateDivide {
  VGPU_FORCE float operator()(float a, float b) const {
    const uint32_t bits = bits_as<uint32_t>(b), magnitude = bits & 0x7FFFFFFFu;
    const uint32_t huge = magnitude > 0x7E800000u && magnitude < 0x7F800000u;
    return canonical(a / bits_as<float>(huge ? (bits & 0x80000000u) | 0x7F800000u : bits));
  }
};
struct FusedMultiplyAdd {
  VGPU_FORCE float operator()(float a, float b, float c) const { return canonical(__builtin_fmaf(a, b, c)); }
  VGPU_FORCE double operator()(double a, double b, double c) const { return __builtin_fma(a, b, c); }
};
struct Reciprocal {
  template <class T>
  VGPU_FORCE T operator()(T a) const {
    return canonical(T(1) / a);
  }
};
struct SquareRoot {
  VGPU_FORCE float operator()(float a) const { return canonical(__builtin_sqrtf(a)); }
  VGPU_FORCE double operator()(double a) const { return __builtin_sqrt(a); }
};

template <class F>
struct Saturated {
  template <class... T>
  VGPU_FORCE float operator()(T... x) const {
    const float r = F()(x...);
    return r > 0.0f ? (r < 1.0f ? r : 1.0f) : 0.0f;
  }
};

// "NAME.mode": the loops are functions of their own, so arithmetic stays between the changes of MXCSR.
template <class F, class T>
Status unary_mode(Warp& w, const Inst& inst) {
  const FloatMode mode(inst.flags);
  return unary<F, T, T>(w, inst);
}
template <class F, class T>
Status binary_mode(Warp& w, const Inst& inst) {
  const FloatMode mode(inst.flags);
  if constexpr (sizeof(T) == 4)
    if ((inst.flags & flag::kSat) != 0) return binary<Saturated<F>, T, T>(w, inst);
  return binary<F, T, T>(w, inst);
}
template <class F, class T>
Status ternary_mode(Warp& w, const Inst& inst) {
  const FloatMode mode(inst.flags);
  if constexpr (sizeof(T) == 4)
    if ((inst.flags & flag::kSat) != 0) return ternary<Saturated<F>, T, T>(w, inst);
  return ternary<F, T, T>(w, inst);
}

// f32x2: two floats side by side in 64 bits, that is 64 floats of which lane i owns 2i and 2i + 1.
template <class F, bool kThree>
Status pair(Warp& w, const Inst& inst) {
  const FloatMode mode(inst.flags);
  float* d = lanes<float>(w, inst.d);
  const float* a = lanes<float>(w, inst.a);
  const float* b = lanes<float>(w, inst.b);
  const float* c = kThree ? lanes<float>(w, inst.c) : a;
  for (uint32_t part = 0; part < 2; ++part, d += kLanes, a += kLanes, b += kLanes, c += kLanes) {
    alignas(64) float r[kLanes];
    VGPU_LANE_LOOP {
      if constexpr (kThree) {
        r[i] = F()(a[i], b[i], c[i]);
      } else {
        r[i] = F()(a[i], b[i]);
      }
    }
    blend(d, r, _pdep_u32(w.exec >> 16 * part, 0x55555555u) * 3);
  }
  return Status::Next;
}

// Sign operations work on patterns; .ftz is integer code as well.
template <class Bits>
struct Pattern;
template <>
struct Pattern<float> {
  using Bits = uint32_t;
  static constexpr uint32_t kSign = 0x80000000u, kExponent = 0x7F800000u, kNan = 0x7FFFFFFFu;
};
template <>
struct Pattern<double> {
  using Bits = uint64_t;
  static constexpr uint64_t kSign = uint64_t{1} << 63, kExponent = uint64_t{0x7FF} << 52;
  static constexpr uint64_t kNan = kExponent | uint64_t{1} << 51;
};
template <class T>
using BitsOf = typename Pattern<T>::Bits;

template <class T, bool kFtz>
VGPU_INLINE BitsOf<T> flush_if(BitsOf<T> x) {
  return kFtz && (x & Pattern<T>::kExponent) == 0 ? x & Pattern<T>::kSign : x;
}
template <class T, bool kFtz>
struct Negate {
  VGPU_FORCE BitsOf<T> operator()(BitsOf<T> x) const { return flush_if<T, kFtz>(x) ^ Pattern<T>::kSign; }
};
template <class T, bool kFtz>
struct Absolute {
  VGPU_FORCE BitsOf<T> operator()(BitsOf<T> x) const { return flush_if<T, kFtz>(x) & ~Pattern<T>::kSign; }
};
template <class T>
struct CopySign {  // the sign of a, the magnitude of b
  VGPU_FORCE BitsOf<T> operator()(BitsOf<T> a, BitsOf<T> b) const {
    return (a & Pattern<T>::kSign) | (b & ~Pattern<T>::kSign);
  }
};

// Minimum and maximum: -0 is less than +0, a NaN loses against a number.
template <class T, bool kMax>
struct Extreme {
  VGPU_FORCE T operator()(T a, T b) const {
    using Bits = BitsOf<T>;
    const T picked = (kMax ? a > b : a < b) ? a : b;  // b where either is NaN
    const Bits equal = a == b ? ~Bits{0} : 0, x = bits_as<Bits>(a), y = bits_as<Bits>(picked);
    const T ordered =
        bits_as<T>(kMax ? y & (x | ~equal) : y | (x & equal));  // equal patterns differ for zeros only
    const T number = b == b ? ordered : a;
    return number == number ? number : bits_as<T>(Pattern<T>::kNan);
  }
};

// .ftz, .NaN, .xorsign.abs and three operands (f32 only), told by Inst::flags; masks instead of branches.
template <bool kMax>
Status extreme_mode(Warp& w, const Inst& inst) {
  const uint32_t flags = inst.flags;
  const uint32_t small_kept = (flags & flag::kFtz) != 0 ? 0x80000000u : 0xFFFFFFFFu;
  const uint32_t kept = (flags & extreme::kAbsolute) != 0 ? 0x7FFFFFFFu : 0xFFFFFFFFu;
  const uint32_t sign_kept = (flags & extreme::kXorSign) != 0 ? 0x80000000u : 0;
  const uint32_t nan_wins = (flags & flag::kNan) != 0 ? 1 : 0;
  const uint32_t* a = lanes<uint32_t>(w, inst.a);
  const uint32_t* b = lanes<uint32_t>(w, inst.b);
  const uint32_t* c =
      lanes<uint32_t>(w, (flags & extreme::kThreeOperands) != 0 ? inst.c : inst.b);  // b twice is harmless
  store_lanes(
      w, lanes<uint32_t>(w, inst.d), [&](uint32_t i) __attribute__((always_inline))->uint32_t {
        const auto prepared = [&](uint32_t x) __attribute__((always_inline)) {
          return bits_as<float>(x & kept & ((x & 0x7F800000u) == 0 ? small_kept : 0xFFFFFFFFu));
        };
        const float x = prepared(a[i]), y = prepared(b[i]), z = prepared(c[i]);
        const Extreme<float, kMax> pick;
        const float r = pick(pick(x, y), z);
        const uint32_t any_nan = (x != x ? 1u : 0u) | (y != y ? 1u : 0u) | (z != z ? 1u : 0u);
        const uint32_t spoilt = (any_nan & nan_wins) | (r != r ? 1u : 0u);
        const uint32_t bits = bits_as<uint32_t>(r) | ((a[i] ^ b[i]) & sign_kept);
        return spoilt != 0 ? Pattern<float>::kNan : bits;
      });
  return Status::Next;
}

// The approximations of approx_math.h.
template <class F, bool kFtz>
struct Approximate {
  VGPU_FORCE float operator()(float x) const {
    const float r = canonical(static_cast<float>(F()(static_cast<double>(kFtz ? flush(x) : x))));
    return kFtz ? flush(r) : r;
  }
};
struct Exp2 {
  VGPU_FORCE double operator()(double x) const { return approx_exp2(x); }
};
struct Log2 {
  VGPU_FORCE double operator()(double x) const { return approx_log2(x); }
};
struct Tanh {
  VGPU_FORCE double operator()(double x) const { return approx_tanh(x); }
};
struct ReciprocalRoot {
  VGPU_FORCE double operator()(double x) const { return 1.0 / __builtin_sqrt(x); }
};
template <uint64_t kQuarter>
struct Sine {
  VGPU_FORCE double operator()(double x) const { return approx_sin(x, kQuarter); }
};

// sin (kQuarter 0) and cos (1): arguments beyond the range of the fast reduction go through the C library.
template <uint64_t kQuarter, bool kFtz>
Status trigonometric(Warp& w, const Inst& inst) {
  const float* a = lanes<float>(w, inst.a);
  alignas(64) float r[kLanes];
  alignas(64) int32_t beyond[kLanes];
  VGPU_LANE_LOOP {
    r[i] = Approximate<Sine<kQuarter>, kFtz>()(a[i]);
    beyond[i] = __builtin_fabsf(a[i]) <= static_cast<float>(kTrigRange) ? 0 : -1;
  }
  VGPU_FOR_LANES(sign_mask(beyond) & w.exec, i) {
    const double x = static_cast<double>(a[i]);
    r[i] = canonical(static_cast<float>(kQuarter != 0 ? __builtin_cos(x) : __builtin_sin(x)));
  }
  blend(lanes<float>(w, inst.d), r, w.exec);
  return Status::Next;
}

// rcp and rsqrt.approx.ftz.f64 look at the upper words only and leave the lower one zero; subnormals are
// flushed.
template <class F>
struct UpperWord {
  VGPU_FORCE double operator()(double x) const {
    const uint64_t upper = bits_as<uint64_t>(x) & 0xFFFFFFFF00000000u;
    const double r = F()(bits_as<double>(flush_if<double, true>(upper)));
    return bits_as<double>(flush_if<double, true>(bits_as<uint64_t>(r) & 0xFFFFFFFF00000000u));
  }
};

// testp: classes as ranges of the magnitude's pattern, [low, high), in the order of the rule's list. PTX
// counts zero as normal.
template <class T>
Status test_class(Warp& w, const Inst& inst) {
  using Bits = BitsOf<T>;
  const uint64_t infinity = Pattern<T>::kExponent, end = Pattern<T>::kSign;
  const uint64_t normal = infinity & (~infinity + 1);  // the smallest one
  const uint64_t ranges[][2] = {{0, infinity},       {infinity, infinity + 1}, {0, infinity + 1},
                                {infinity + 1, end}, {normal, infinity},       {1, normal}};
  const uint64_t low = ranges[inst.imm][0], high = ranges[inst.imm][1];
  const bool zero_too = low == normal;
  const Bits* a = lanes<Bits>(w, inst.a);
  uint32_t mask = 0;
  for (uint32_t i = 0; i < kLanes; ++i) {
    const uint64_t magnitude = a[i] & ~Pattern<T>::kSign;
    const bool inside = (magnitude >= low && magnitude < high) || (zero_too && magnitude == 0);
    mask |= static_cast<uint32_t>(inside) << i;
  }
  write_mask(w, inst.d, mask);
  return Status::Next;
}

}  // namespace

#define UNARY(name, F)                                                             \
  {name ".f32", unary<F, float, float>}, {name ".f32.mode", unary_mode<F, float>}, \
      {name ".f64", unary<F, double, double>}, {                                   \
    name ".f64.mode", unary_mode<F, double>                                        \
  }
#define BINARY(name, F)                                                              \
  {name ".f32", binary<F, float, float>}, {name ".f32.mode", binary_mode<F, float>}, \
      {name ".f64", binary<F, double, double>}, {                                    \
    name ".f64.mode", binary_mode<F, double>                                         \
  }
#define APPROXIMATE(name, F)                                          \
  {name ".approx.f32", unary<Approximate<F, false>, float, float>}, { \
    name ".approx.ftz.f32", unary<Approximate<F, true>, float, float> \
  }

extern const HandlerEntry kFloatHandlers[] = {
    BINARY("add", Add),
    BINARY("sub", Subtract),
    BINARY("mul", Multiply),
    BINARY("div", Divide),
    UNARY("rcp", Reciprocal),
    UNARY("sqrt", SquareRoot),
    {"div.approx.f32", binary<ApproximateDivide, float, float>},
    {"div.approx.f32.mode", binary_mode<ApproximateDivide, float>},
    {"fma.f32", ternary<FusedMultiplyAdd, float, float>},
    {"fma.f32.mode", ternary_mode<FusedMultiplyAdd, float>},
    {"fma.f64", ternary<FusedMultiplyAdd, double, double>},
    {"fma.f64.mode", ternary_mode<FusedMultiplyAdd, double>},
    {"add.f32x2", pair<Add, false>},
    {"sub.f32x2", pair<Subtract, false>},
    {"mul.f32x2", pair<Multiply, false>},
    {"fma.f32x2", pair<FusedMultiplyAdd, true>},
    {"neg.f32", unary<Negate<float, false>, uint32_t, uint32_t>},
    {"neg.ftz.f32", unary<Negate<float, true>, uint32_t, uint32_t>},
    {"neg.f64", unary<Negate<double, false>, uint64_t, uint64_t>},
    {"abs.f32", unary<Absolute<float, false>, uint32_t, uint32_t>},
    {"abs.ftz.f32", unary<Absolute<float, true>, uint32_t, uint32_t>},
    {"abs.f64", unary<Absolute<double, false>, uint64_t, uint64_t>},
    {"copysign.f32", binary<CopySign<float>, uint32_t, uint32_t>},
    {"copysign.f64", binary<CopySign<double>, uint64_t, uint64_t>},
    {"min.f32", binary<Extreme<float, false>, float, float>},
    {"max.f32", binary<Extreme<float, true>, float, float>},
    {"min.f32.mode", extreme_mode<false>},
    {"max.f32.mode", extreme_mode<true>},
    {"min.f64", binary<Extreme<double, false>, double, double>},
    {"max.f64", binary<Extreme<double, true>, double, double>},
    APPROXIMATE("ex2", Exp2),
    APPROXIMATE("lg2", Log2),
    APPROXIMATE("tanh", Tanh),
    APPROXIMATE("rsqrt", ReciprocalRoot),
    {"rsqrt.approx.f64", unary<ReciprocalRoot, double, double>},
    {"rcp.approx.ftz.f64", unary<UpperWord<Reciprocal>, double, double>},
    {"rsqrt.approx.ftz.f64", unary<UpperWord<ReciprocalRoot>, double, double>},
    {"sin.approx.f32", trigonometric<0, false>},
    {"sin.approx.ftz.f32", trigonometric<0, true>},
    {"cos.approx.f32", trigonometric<1, false>},
    {"cos.approx.ftz.f32", trigonometric<1, true>},
    {"testp.f32", test_class<float>},
    {"testp.f64", test_class<double>},
    {nullptr, nullptr},
};

}  // namespace vgpu::VGPU_ISA
