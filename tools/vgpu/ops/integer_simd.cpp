// Integer arithmetic: add to mad, division, minimum and maximum, carry chains, packed 16-bit pairs.
//
// Names end in bN where the sign makes no difference. Signed arithmetic runs in unsigned types, which wrap.
// Division by zero gives all ones, for the remainder too: PTX leaves it open, and that is what the GPUs
// return.
#include "ops/integer_flags.h"
#include "ops/simd_support.h"

namespace vgpu::VGPU_ISA {
namespace {

template <class T>  // twice as wide, of the same sign
struct WiderOf {
  using Type = typename IntegerOf<sizeof(T) * 2>::Unsigned;
};
template <class T>
requires kIsSigned<T>
struct WiderOf<T> {
  using Type = typename IntegerOf<sizeof(T) * 2>::Signed;
};
template <class T>
using Wider = typename WiderOf<T>::Type;

VGPU_INLINE int32_t clamp_s32(int64_t x) {
  return static_cast<int32_t>(x > INT32_MAX ? INT32_MAX : x < INT32_MIN ? INT32_MIN : x);
}

#define VGPU_OPERATOR2(Name, expression)      \
  struct Name {                               \
    template <class T>                        \
    VGPU_FORCE T operator()(T a, T b) const { \
      return static_cast<T>(expression);      \
    }                                         \
  };
VGPU_OPERATOR2(Add, a + b)
VGPU_OPERATOR2(Sub, a - b)
VGPU_OPERATOR2(Min, a < b ? a : b)
VGPU_OPERATOR2(Max, a > b ? a : b)
VGPU_OPERATOR2(MinRelu, (a < b ? a : b) > 0 ? (a < b ? a : b) : 0)
VGPU_OPERATOR2(MaxRelu, (a > b ? a : b) > 0 ? (a > b ? a : b) : 0)
#undef VGPU_OPERATOR2

struct AddSat {
  VGPU_FORCE int32_t operator()(int32_t a, int32_t b) const { return clamp_s32(int64_t{a} + b); }
};
struct SubSat {
  VGPU_FORCE int32_t operator()(int32_t a, int32_t b) const { return clamp_s32(int64_t{a} - b); }
};
struct Neg {
  template <class T>
  VGPU_FORCE T operator()(T a) const {
    return static_cast<T>(T{0} - a);
  }
};
struct Abs {
  template <class T>
  VGPU_FORCE T operator()(T a) const {
    return static_cast<T>(a < 0 ? Unsigned<T>{0} - static_cast<Unsigned<T>>(a) : static_cast<Unsigned<T>>(a));
  }
};
struct Sad {
  template <class T>
  VGPU_FORCE T operator()(T a, T b, T c) const {
    using U = Unsigned<T>;
    const U difference =
        static_cast<U>(a > b ? static_cast<U>(a) - static_cast<U>(b) : static_cast<U>(b) - static_cast<U>(a));
    return static_cast<T>(static_cast<U>(static_cast<U>(c) + difference));
  }
};

// Products. A 16-bit product is formed in 32 unsigned bits, where it cannot overflow a signed int.
struct MulLo {
  template <class T>
  VGPU_FORCE T operator()(T a, T b) const {
    if constexpr (sizeof(T) == 2)
      return static_cast<T>(uint32_t{a} * uint32_t{b});
    else
      return a * b;
  }
};
struct MulHi {
  template <class T>
  VGPU_FORCE T operator()(T a, T b) const {
    return static_cast<T>(static_cast<Wider<T>>(a) * static_cast<Wider<T>>(b) >> 8 * sizeof(T));
  }
};
struct MulWide {
  template <class T>
  VGPU_FORCE Wider<T> operator()(T a, T b) const {
    return static_cast<Wider<T>>(static_cast<Wider<T>>(a) * static_cast<Wider<T>>(b));
  }
};
template <class T>
VGPU_INLINE T wrapping_add(T a, T b) {
  return static_cast<T>(static_cast<Unsigned<T>>(a) + static_cast<Unsigned<T>>(b));
}
template <class Product>
struct Mad {
  template <class T, class C>
  VGPU_FORCE C operator()(T a, T b, C c) const {
    return wrapping_add<C>(Product()(a, b), c);
  }
};
struct MadHiSat {
  VGPU_FORCE int32_t operator()(int32_t a, int32_t b, int32_t c) const {
    return clamp_s32(int64_t{MulHi()(a, b)} + c);
  }
};
// 24-bit factors in the low bits of a register: the 48-bit product's bits 31..0 or 47..16.
template <class T>
VGPU_INLINE int64_t product24(T a, T b) {
  return int64_t{static_cast<T>(static_cast<uint32_t>(a) << 8) >> 8} *
         (static_cast<T>(static_cast<uint32_t>(b) << 8) >> 8);
}
struct Mul24Lo {
  template <class T>
  VGPU_FORCE T operator()(T a, T b) const {
    return static_cast<T>(product24(a, b));
  }
};
struct Mul24Hi {
  template <class T>
  VGPU_FORCE T operator()(T a, T b) const {
    return static_cast<T>(product24(a, b) >> 16);
  }
};
struct Mad24HiSat {
  VGPU_FORCE int32_t operator()(int32_t a, int32_t b, int32_t c) const {
    return clamp_s32((product24(a, b) >> 16) + c);
  }
};

// Division of up to 32 bits: the double quotient is off by less than one and corrected. Without branches,
// since the compiler would not vectorise a floating-point division that only some lanes do.
VGPU_INLINE double exact_double(uint32_t x) {
  const uint64_t bits = 0x4330'0000'0000'0000u | x;  // 2^52 + x
  double d;
  memcpy(&d, &bits, sizeof(d));
  return d - 0x1p52;
}
VGPU_INLINE uint32_t mask_if(bool condition) {
  return 0u - static_cast<uint32_t>(condition);
}
VGPU_INLINE uint32_t quotient(uint32_t a, uint32_t b) {  // all ones for b = 0
  const double rounded = exact_double(a) / exact_double(b) + 0x1p52;
  uint64_t bits;
  memcpy(&bits, &rounded, sizeof(bits));
  const uint64_t q = bits & 0xFFFF'FFFFu;
  const uint64_t rest = uint64_t{a} - q * b;
  return (static_cast<uint32_t>(q) - static_cast<uint32_t>(rest >> 63)) | mask_if(b == 0);
}
VGPU_INLINE uint32_t negate_if(uint32_t x, uint32_t mask) {
  return (x ^ mask) - mask;
}
template <class T>
VGPU_INLINE uint32_t magnitude(T x) {
  return negate_if(static_cast<uint32_t>(x), mask_if(x < 0));
}
struct Div {
  template <class T>
  VGPU_FORCE T operator()(T a, T b) const {
    if constexpr (sizeof(T) == 8) {
      if (b == 0) return static_cast<T>(-1);
      if (kIsSigned<T> && b == static_cast<T>(-1)) return Neg()(a);
      return a / b;
    } else {
      const uint32_t negative = (mask_if(a < 0) ^ mask_if(b < 0)) & ~mask_if(b == 0);
      return static_cast<T>(negate_if(quotient(magnitude(a), magnitude(b)), negative));
    }
  }
};
struct Rem {
  template <class T>
  VGPU_FORCE T operator()(T a, T b) const {
    if constexpr (sizeof(T) == 8) {
      if (b == 0) return static_cast<T>(-1);
      if (kIsSigned<T> && b == static_cast<T>(-1)) return 0;
      return a % b;
    } else {
      const uint32_t rest = magnitude(a) - quotient(magnitude(a), magnitude(b)) * magnitude(b);
      return static_cast<T>(negate_if(rest, mask_if(a < 0)) | mask_if(b == 0));
    }
  }
};
// 64-bit division has no vector form and takes tens of cycles: lanes that do not run are skipped.
template <class F, class T>
Status divide64(Warp& w, const Inst& inst) {
  const T* a = lanes<T>(w, inst.a);
  const T* b = lanes<T>(w, inst.b);
  T* d = lanes<T>(w, inst.d);
  VGPU_FOR_LANES(w.exec, i) d[i] = F()(a[i], b[i]);
  return Status::Next;
}

// Two 16-bit halves of a 32-bit lane, each on its own.
template <class F, class T>
struct Halves {
  VGPU_FORCE uint32_t operator()(uint32_t a, uint32_t b) const {
    const T low = F()(static_cast<T>(a), static_cast<T>(b));
    const T high = F()(static_cast<T>(a >> 16), static_cast<T>(b >> 16));
    return static_cast<uint16_t>(low) | static_cast<uint32_t>(static_cast<uint16_t>(high)) << 16;
  }
};

// Carry chains. CC.CF is a bit a lane in Warp::carry; a borrow counts as a carry.
struct SumCarry {
  template <class U>
  VGPU_FORCE U operator()(U a, U b, U in, bool& out) const {
    const U partial = static_cast<U>(a + b), sum = static_cast<U>(partial + in);
    out = (partial < a) | (sum < partial);
    return sum;
  }
};
struct DifferenceCarry {
  template <class U>
  VGPU_FORCE U operator()(U a, U b, U in, bool& out) const {
    const U partial = static_cast<U>(a - b), difference = static_cast<U>(partial - in);
    out = (a < b) | (partial < in);
    return difference;
  }
};
template <class F, class U, class Left>
VGPU_INLINE void carry_lanes(Warp& w, const Inst& inst, const U* right, Left left) {
  using S = typename IntegerOf<sizeof(U)>::Signed;
  const uint32_t carry_in = inst.flags & carry::kRead ? w.carry : 0;
  alignas(64) U result[kLanes];
  alignas(64) S carries[kLanes];
  VGPU_LANE_LOOP {
    bool out = false;
    result[i] = F()(left(i), right[i], static_cast<U>(carry_in >> i & 1), out);
    carries[i] = out ? S{-1} : S{0};
  }
  blend(lanes<U>(w, inst.d), result, w.exec);
  if (inst.flags & carry::kWrite) w.carry = (w.carry & ~w.exec) | (sign_mask(carries) & w.exec);
}
template <class F, class U>
Status carry_binary(Warp& w, const Inst& inst) {
  const U* a = lanes<U>(w, inst.a);
  carry_lanes<F>(w, inst, lanes<U>(w, inst.b), [&](uint32_t i) { return a[i]; });
  return Status::Next;
}
template <class Product, class T>
Status carry_mad(Warp& w, const Inst& inst) {
  using U = Unsigned<T>;
  const T* a = lanes<T>(w, inst.a);
  const T* b = lanes<T>(w, inst.b);
  carry_lanes<SumCarry>(w, inst, lanes<U>(w, inst.c),
                        [&](uint32_t i) { return static_cast<U>(Product()(a[i], b[i])); });
  return Status::Next;
}

}  // namespace

#define VGPU_SIGNLESS(name, F, shape)                                                         \
  {name ".b16", shape<F, uint16_t, uint16_t>}, {name ".b32", shape<F, uint32_t, uint32_t>}, { \
    name ".b64", shape<F, uint64_t, uint64_t>                                                 \
  }
#define VGPU_SIGNED(name, F, shape)                                                       \
  {name ".s16", shape<F, int16_t, int16_t>}, {name ".s32", shape<F, int32_t, int32_t>}, { \
    name ".s64", shape<F, int64_t, int64_t>                                               \
  }
#define VGPU_UNSIGNED(name, F, shape)                                                         \
  {name ".u16", shape<F, uint16_t, uint16_t>}, {name ".u32", shape<F, uint32_t, uint32_t>}, { \
    name ".u64", shape<F, uint64_t, uint64_t>                                                 \
  }

const HandlerEntry kIntegerHandlers[] = {
    VGPU_SIGNLESS("add", Add, binary),
    VGPU_SIGNLESS("sub", Sub, binary),
    VGPU_SIGNLESS("neg", Neg, unary),
    VGPU_SIGNLESS("mul.lo", MulLo, binary),
    VGPU_SIGNLESS("mad.lo", Mad<MulLo>, ternary),
    VGPU_SIGNED("abs", Abs, unary),
    VGPU_SIGNED("min", Min, binary),
    VGPU_UNSIGNED("min", Min, binary),
    VGPU_SIGNED("max", Max, binary),
    VGPU_UNSIGNED("max", Max, binary),
    VGPU_SIGNED("mul.hi", MulHi, binary),
    VGPU_UNSIGNED("mul.hi", MulHi, binary),
    VGPU_SIGNED("mad.hi", Mad<MulHi>, ternary),
    VGPU_UNSIGNED("mad.hi", Mad<MulHi>, ternary),
    VGPU_SIGNED("sad", Sad, ternary),
    VGPU_UNSIGNED("sad", Sad, ternary),
    {"min.relu.s32", binary<MinRelu, int32_t, int32_t>},
    {"max.relu.s32", binary<MaxRelu, int32_t, int32_t>},
    {"add.sat.s32", binary<AddSat, int32_t, int32_t>},
    {"sub.sat.s32", binary<SubSat, int32_t, int32_t>},
    {"mad.hi.sat.s32", ternary<MadHiSat, int32_t, int32_t>},
    {"mul.wide.s16", binary<MulWide, int32_t, int16_t>},
    {"mul.wide.u16", binary<MulWide, uint32_t, uint16_t>},
    {"mul.wide.s32", binary<MulWide, int64_t, int32_t>},
    {"mul.wide.u32", binary<MulWide, uint64_t, uint32_t>},
    {"mad.wide.s16", ternary<Mad<MulWide>, int32_t, int16_t, int16_t, int32_t>},
    {"mad.wide.u16", ternary<Mad<MulWide>, uint32_t, uint16_t, uint16_t, uint32_t>},
    {"mad.wide.s32", ternary<Mad<MulWide>, int64_t, int32_t, int32_t, int64_t>},
    {"mad.wide.u32", ternary<Mad<MulWide>, uint64_t, uint32_t, uint32_t, uint64_t>},
    {"mul24.lo.s32", binary<Mul24Lo, int32_t, int32_t>},
    {"mul24.lo.u32", binary<Mul24Lo, uint32_t, uint32_t>},
    {"mul24.hi.s32", binary<Mul24Hi, int32_t, int32_t>},
    {"mul24.hi.u32", binary<Mul24Hi, uint32_t, uint32_t>},
    {"mad24.lo.s32", ternary<Mad<Mul24Lo>, int32_t, int32_t>},
    {"mad24.lo.u32", ternary<Mad<Mul24Lo>, uint32_t, uint32_t>},
    {"mad24.hi.s32", ternary<Mad<Mul24Hi>, int32_t, int32_t>},
    {"mad24.hi.u32", ternary<Mad<Mul24Hi>, uint32_t, uint32_t>},
    {"mad24.hi.sat.s32", ternary<Mad24HiSat, int32_t, int32_t>},
    {"div.s16", binary<Div, int16_t, int16_t>},
    {"div.u16", binary<Div, uint16_t, uint16_t>},
    {"div.s32", binary<Div, int32_t, int32_t>},
    {"div.u32", binary<Div, uint32_t, uint32_t>},
    {"div.s64", divide64<Div, int64_t>},
    {"div.u64", divide64<Div, uint64_t>},
    {"rem.s16", binary<Rem, int16_t, int16_t>},
    {"rem.u16", binary<Rem, uint16_t, uint16_t>},
    {"rem.s32", binary<Rem, int32_t, int32_t>},
    {"rem.u32", binary<Rem, uint32_t, uint32_t>},
    {"rem.s64", divide64<Rem, int64_t>},
    {"rem.u64", divide64<Rem, uint64_t>},
    {"add.16x2", binary<Halves<Add, uint16_t>, uint32_t, uint32_t>},
    {"min.s16x2", binary<Halves<Min, int16_t>, uint32_t, uint32_t>},
    {"min.u16x2", binary<Halves<Min, uint16_t>, uint32_t, uint32_t>},
    {"max.s16x2", binary<Halves<Max, int16_t>, uint32_t, uint32_t>},
    {"max.u16x2", binary<Halves<Max, uint16_t>, uint32_t, uint32_t>},
    {"min.relu.s16x2", binary<Halves<MinRelu, int16_t>, uint32_t, uint32_t>},
    {"max.relu.s16x2", binary<Halves<MaxRelu, int16_t>, uint32_t, uint32_t>},
    {"addc.b32", carry_binary<SumCarry, uint32_t>},
    {"addc.b64", carry_binary<SumCarry, uint64_t>},
    {"subc.b32", carry_binary<DifferenceCarry, uint32_t>},
    {"subc.b64", carry_binary<DifferenceCarry, uint64_t>},
    {"madc.lo.b32", carry_mad<MulLo, uint32_t>},
    {"madc.lo.b64", carry_mad<MulLo, uint64_t>},
    {"madc.hi.s32", carry_mad<MulHi, int32_t>},
    {"madc.hi.u32", carry_mad<MulHi, uint32_t>},
    {"madc.hi.s64", carry_mad<MulHi, int64_t>},
    {"madc.hi.u64", carry_mad<MulHi, uint64_t>},
    {nullptr, nullptr},
};
#undef VGPU_SIGNLESS
#undef VGPU_SIGNED
#undef VGPU_UNSIGNED

}  // namespace vgpu::VGPU_ISA
