// Logic, shifts, bit fields, byte permutation and the small dot products.
//
// Shift amounts are 32-bit and count as they are: an amount of the width or more shifts everything out.
#include "ops/simd_support.h"

namespace vgpu::VGPU_ISA {
namespace {

#define VGPU_OPERATOR(Name, expression)       \
  struct Name {                               \
    template <class T>                        \
    VGPU_FORCE T operator()(T a, T b) const { \
      return static_cast<T>(expression);      \
    }                                         \
  };
VGPU_OPERATOR(And, a& b)
VGPU_OPERATOR(Or, a | b)
VGPU_OPERATOR(Xor, a ^ b)
#undef VGPU_OPERATOR

struct Not {
  template <class T>
  VGPU_FORCE T operator()(T a) const {
    return static_cast<T>(~a);
  }
};
struct Cnot {
  template <class T>
  VGPU_FORCE T operator()(T a) const {
    return a == 0 ? T{1} : T{0};
  }
};
struct ShiftLeft {
  template <class T>
  VGPU_FORCE T operator()(T a, uint32_t n) const {
    return static_cast<T>(n < 8 * sizeof(T) ? a << (n & (8 * sizeof(T) - 1)) : 0);
  }
};
struct ShiftRight {
  template <class T>
  VGPU_FORCE T operator()(T a, uint32_t n) const {
    constexpr uint32_t kLast = 8 * sizeof(T) - 1;
    if constexpr (kIsSigned<T>)
      return static_cast<T>(a >> (n < kLast ? n : kLast));
    else
      return static_cast<T>(n <= kLast ? a >> (n & kLast) : 0);
  }
};

// Funnel shifts of b:a.
template <bool kClamp>
VGPU_INLINE uint32_t funnel_amount(uint32_t n) {
  if constexpr (kClamp)
    return n < 32 ? n : 32;
  else
    return n & 31;
}
template <bool kClamp>
struct FunnelLeft {
  VGPU_FORCE uint32_t operator()(uint32_t a, uint32_t b, uint32_t n) const {
    return static_cast<uint32_t>((uint64_t{b} << 32 | a) << funnel_amount<kClamp>(n) >> 32);
  }
};
template <bool kClamp>
struct FunnelRight {
  VGPU_FORCE uint32_t operator()(uint32_t a, uint32_t b, uint32_t n) const {
    return static_cast<uint32_t>((uint64_t{b} << 32 | a) >> funnel_amount<kClamp>(n));
  }
};

// Counting and searching.
struct PopCount {
  template <class T>
  VGPU_FORCE uint32_t operator()(T a) const {
    return static_cast<uint32_t>(__builtin_popcountll(a));
  }
};
struct LeadingZeros {
  template <class T>
  VGPU_FORCE uint32_t operator()(T a) const {
    if (a == 0) return 8 * sizeof(T);
    return static_cast<uint32_t>(__builtin_clzll(a)) - (64 - 8 * sizeof(T));
  }
};
struct Reverse {
  VGPU_FORCE uint32_t operator()(uint32_t a) const {
    a = (a >> 1 & 0x5555'5555u) | (a & 0x5555'5555u) << 1;
    a = (a >> 2 & 0x3333'3333u) | (a & 0x3333'3333u) << 2;
    a = (a >> 4 & 0x0F0F'0F0Fu) | (a & 0x0F0F'0F0Fu) << 4;
    return __builtin_bswap32(a);
  }
  VGPU_FORCE uint64_t operator()(uint64_t a) const {
    return uint64_t{(*this)(static_cast<uint32_t>(a))} << 32 | (*this)(static_cast<uint32_t>(a >> 32));
  }
};
// The most significant bit that is not a copy of the sign; all ones where there is none.
template <bool kShiftAmount>
struct FindMost {
  template <class T>
  VGPU_FORCE uint32_t operator()(T a) const {
    using U = Unsigned<T>;
    const U bits = static_cast<U>(a < 0 ? ~a : a);
    const uint32_t zeros = LeadingZeros()(bits);
    if (bits == 0) return 0xFFFF'FFFFu;
    return kShiftAmount ? zeros : 8 * sizeof(T) - 1 - zeros;
  }
};
// The offset-th set bit of a, counted upwards from `base` (downwards where negative); offset 0 asks for base
// itself.
struct FindNth {
  VGPU_FORCE uint32_t operator()(uint32_t a, uint32_t base, uint32_t offset) const {
    const int32_t wanted = static_cast<int32_t>(offset);
    const uint32_t start = base & 31;
    if (wanted == 0) return a >> start & 1 ? start : 0xFFFF'FFFFu;
    const int32_t step = wanted < 0 ? -1 : 1;
    uint32_t left = wanted < 0 ? 0u - offset : offset;
    for (int32_t at = static_cast<int32_t>(start); at >= 0 && at < 32; at += step)
      if ((a >> at & 1) != 0 && --left == 0) return static_cast<uint32_t>(at);
    return 0xFFFF'FFFFu;
  }
};

// Bit fields. Position and length are bytes of their operands.
struct Extract {
  template <class T>
  VGPU_FORCE T operator()(T a, uint32_t position, uint32_t length) const {
    constexpr uint32_t kBits = 8 * sizeof(T);
    constexpr bool kSigned = kIsSigned<T>;
    position &= 0xFF;
    length &= 0xFF;
    if (length == 0) return 0;
    const T field = ShiftRight()(a, position);
    if (length >= kBits || (kSigned && position + length >= kBits)) return field;
    const uint32_t unused = kBits - length;
    using U = Unsigned<T>;
    return static_cast<T>(static_cast<T>(static_cast<U>(field) << unused) >> unused);
  }
};
struct Insert {
  template <class T>
  VGPU_FORCE T operator()(T a, T b, uint32_t position, uint32_t length) const {
    position &= 0xFF;
    length &= 0xFF;
    const T ones = static_cast<T>(ShiftLeft()(T{1}, length) - 1);
    const T mask = ShiftLeft()(ones, position);
    return static_cast<T>((b & ~mask) | (ShiftLeft()(a, position) & mask));
  }
};
template <class T>
Status insert_field(Warp& w, const Inst& inst) {
  const T* a = lanes<T>(w, inst.a);
  const T* b = lanes<T>(w, inst.b);
  const uint32_t* position = lanes<uint32_t>(w, inst.c);
  const uint32_t* length = lanes<uint32_t>(w, w.refs[inst.extra]);
  store_lanes(w, lanes<T>(w, inst.d),
              [&](uint32_t i) -> T { return Insert()(a[i], b[i], position[i], length[i]); });
  return Status::Next;
}
template <bool kClamp>
struct BitMask {
  VGPU_FORCE uint32_t operator()(uint32_t position, uint32_t length) const {
    if constexpr (!kClamp) {
      position &= 31;
      length &= 31;
    }
    return ShiftLeft()(ShiftLeft()(1u, length) - 1, position);
  }
};
template <bool kClamp>
struct Extend {  // szext: the low n bits, sign- or zero-extended
  template <class T>
  VGPU_FORCE T operator()(T a, uint32_t n) const {
    const uint32_t length = kClamp ? n : n & 31;
    if (length == 0) return 0;
    if (length >= 32) return a;
    return static_cast<T>(static_cast<T>(static_cast<uint32_t>(a) << (32 - length)) >> (32 - length));
  }
};

// prmt: byte k of the result is the byte of b:a that nibble k of the selector names, or its sign.
VGPU_INLINE uint32_t permute_byte(uint64_t bytes, uint32_t selector) {
  const uint32_t byte = static_cast<uint32_t>(bytes >> 8 * (selector & 7)) & 0xFF;
  return selector & 8 ? (byte & 0x80 ? 0xFFu : 0u) : byte;
}
struct Permute {
  VGPU_FORCE uint32_t operator()(uint32_t a, uint32_t b, uint32_t c) const {
    const uint64_t bytes = uint64_t{b} << 32 | a;
    uint32_t d = 0;
    for (uint32_t k = 0; k < 4; ++k) d |= permute_byte(bytes, c >> 4 * k) << 8 * k;
    return d;
  }
};
// The special modes, as selectors for each value of c & 3.
inline constexpr uint16_t kForward[4] = {0x3210, 0x4321, 0x5432, 0x6543};
inline constexpr uint16_t kBackward[4] = {0x5670, 0x6701, 0x7012, 0x0123};
inline constexpr uint16_t kReplicate8[4] = {0x0000, 0x1111, 0x2222, 0x3333};
inline constexpr uint16_t kEdgeClampLeft[4] = {0x3210, 0x3211, 0x3222, 0x3333};
inline constexpr uint16_t kEdgeClampRight[4] = {0x0000, 0x1110, 0x2210, 0x3210};
inline constexpr uint16_t kReplicate16[4] = {0x1010, 0x3232, 0x1010, 0x3232};
template <const uint16_t* kSelectors>
struct PermuteMode {
  VGPU_FORCE uint32_t operator()(uint32_t a, uint32_t b, uint32_t c) const {
    return Permute()(a, b, kSelectors[c & 3]);
  }
};

// lop3: any function of three bits. Each bit of the table becomes a whole word; the lanes then choose by a, b
// and c.
VGPU_INLINE uint32_t choose(uint32_t selector, uint32_t one, uint32_t zero) {
  return zero ^ (selector & (one ^ zero));
}
template <class Use>
VGPU_INLINE void lop3_lanes(Warp& w, const Inst& inst, Use use) {
  const uint32_t* a = lanes<uint32_t>(w, inst.a);
  const uint32_t* b = lanes<uint32_t>(w, inst.b);
  const uint32_t* c = lanes<uint32_t>(w, inst.c);
  uint32_t table[8];
  for (uint32_t k = 0; k < 8; ++k) table[k] = 0u - static_cast<uint32_t>(inst.imm >> k & 1);
  use([&](uint32_t i) __attribute__((always_inline))->uint32_t {
    const uint32_t high = choose(b[i], choose(c[i], table[7], table[6]), choose(c[i], table[5], table[4]));
    const uint32_t low = choose(b[i], choose(c[i], table[3], table[2]), choose(c[i], table[1], table[0]));
    return choose(a[i], high, low);
  });
}
Status lop3(Warp& w, const Inst& inst) {
  lop3_lanes(w, inst, [&](auto value) { store_lanes(w, lanes<uint32_t>(w, inst.d), value); });
  return Status::Next;
}
// lop3.and / .or: also p = (result != 0) op q. refs: p, q.
template <bool kAnd>
Status lop3_predicate(Warp& w, const Inst& inst) {
  alignas(64) uint32_t result[kLanes];
  alignas(64) int32_t zero[kLanes];
  lop3_lanes(w, inst, [&](auto value) { VGPU_LANE_LOOP result[i] = value(i); });
  VGPU_LANE_LOOP zero[i] = result[i] == 0 ? -1 : 0;
  blend(lanes<uint32_t>(w, inst.d), result, w.exec);
  const uint32_t nonzero = ~sign_mask(zero), q = read_mask(w, w.refs[inst.extra + 1]);
  write_mask(w, w.refs[inst.extra], kAnd ? nonzero & q : nonzero | q);
  return Status::Next;
}

// Dot products of bytes (dp4a), or of two halves with two bytes (dp2a).
template <class T>
VGPU_INLINE int32_t part(uint32_t word, uint32_t index) {
  return static_cast<T>(word >> 8 * sizeof(T) * index);
}
template <class A, class B>
struct DotFour {
  VGPU_FORCE uint32_t operator()(uint32_t a, uint32_t b, uint32_t c) const {
    for (uint32_t k = 0; k < 4; ++k) c += static_cast<uint32_t>(part<A>(a, k) * part<B>(b, k));
    return c;
  }
};
template <class A, class B, uint32_t kFirst>
struct DotTwo {
  VGPU_FORCE uint32_t operator()(uint32_t a, uint32_t b, uint32_t c) const {
    for (uint32_t k = 0; k < 2; ++k) c += static_cast<uint32_t>(part<A>(a, k) * part<B>(b, kFirst + k));
    return c;
  }
};

// Logic on predicates.
template <class F>
Status predicate_binary(Warp& w, const Inst& inst) {
  write_mask(w, inst.d, F()(read_mask(w, inst.a), read_mask(w, inst.b)));
  return Status::Next;
}
Status predicate_not(Warp& w, const Inst& inst) {
  write_mask(w, inst.d, ~read_mask(w, inst.a));
  return Status::Next;
}

}  // namespace

#define VGPU_BITWISE(name, F, shape)                                                          \
  {name ".b16", shape<F, uint16_t, uint16_t>}, {name ".b32", shape<F, uint32_t, uint32_t>}, { \
    name ".b64", shape<F, uint64_t, uint64_t>                                                 \
  }
#define VGPU_SHIFT(name, F, T, type) \
  { name type, binary<F, T, T, uint32_t> }
#define VGPU_DOT(signs, A, B, WideA)                                          \
  {"dp4a." signs, ternary<DotFour<A, B>, uint32_t, uint32_t>},                \
      {"dp2a.lo." signs, ternary<DotTwo<WideA, B, 0>, uint32_t, uint32_t>}, { \
    "dp2a.hi." signs, ternary<DotTwo<WideA, B, 2>, uint32_t, uint32_t>        \
  }

const HandlerEntry kBitHandlers[] = {
    VGPU_BITWISE("and", And, binary),
    VGPU_BITWISE("or", Or, binary),
    VGPU_BITWISE("xor", Xor, binary),
    VGPU_BITWISE("not", Not, unary),
    VGPU_BITWISE("cnot", Cnot, unary),
    {"and.pred", predicate_binary<And>},
    {"or.pred", predicate_binary<Or>},
    {"xor.pred", predicate_binary<Xor>},
    {"not.pred", predicate_not},
    VGPU_SHIFT("shl", ShiftLeft, uint16_t, ".b16"),
    VGPU_SHIFT("shl", ShiftLeft, uint32_t, ".b32"),
    VGPU_SHIFT("shl", ShiftLeft, uint64_t, ".b64"),
    VGPU_SHIFT("shr", ShiftRight, uint16_t, ".u16"),
    VGPU_SHIFT("shr", ShiftRight, uint32_t, ".u32"),
    VGPU_SHIFT("shr", ShiftRight, uint64_t, ".u64"),
    VGPU_SHIFT("shr", ShiftRight, int16_t, ".s16"),
    VGPU_SHIFT("shr", ShiftRight, int32_t, ".s32"),
    VGPU_SHIFT("shr", ShiftRight, int64_t, ".s64"),
    {"shf.l.clamp", ternary<FunnelLeft<true>, uint32_t, uint32_t>},
    {"shf.l.wrap", ternary<FunnelLeft<false>, uint32_t, uint32_t>},
    {"shf.r.clamp", ternary<FunnelRight<true>, uint32_t, uint32_t>},
    {"shf.r.wrap", ternary<FunnelRight<false>, uint32_t, uint32_t>},
    {"popc.b32", unary<PopCount, uint32_t, uint32_t>},
    {"popc.b64", unary<PopCount, uint32_t, uint64_t>},
    {"clz.b32", unary<LeadingZeros, uint32_t, uint32_t>},
    {"clz.b64", unary<LeadingZeros, uint32_t, uint64_t>},
    {"brev.b32", unary<Reverse, uint32_t, uint32_t>},
    {"brev.b64", unary<Reverse, uint64_t, uint64_t>},
    {"bfind.u32", unary<FindMost<false>, uint32_t, uint32_t>},
    {"bfind.s32", unary<FindMost<false>, uint32_t, int32_t>},
    {"bfind.u64", unary<FindMost<false>, uint32_t, uint64_t>},
    {"bfind.s64", unary<FindMost<false>, uint32_t, int64_t>},
    {"bfind.shiftamt.u32", unary<FindMost<true>, uint32_t, uint32_t>},
    {"bfind.shiftamt.s32", unary<FindMost<true>, uint32_t, int32_t>},
    {"bfind.shiftamt.u64", unary<FindMost<true>, uint32_t, uint64_t>},
    {"bfind.shiftamt.s64", unary<FindMost<true>, uint32_t, int64_t>},
    {"fns.b32", ternary<FindNth, uint32_t, uint32_t>},
    {"bfe.u32", ternary<Extract, uint32_t, uint32_t, uint32_t, uint32_t>},
    {"bfe.s32", ternary<Extract, int32_t, int32_t, uint32_t, uint32_t>},
    {"bfe.u64", ternary<Extract, uint64_t, uint64_t, uint32_t, uint32_t>},
    {"bfe.s64", ternary<Extract, int64_t, int64_t, uint32_t, uint32_t>},
    {"bfi.b32", insert_field<uint32_t>},
    {"bfi.b64", insert_field<uint64_t>},
    {"bmsk.clamp", binary<BitMask<true>, uint32_t, uint32_t>},
    {"bmsk.wrap", binary<BitMask<false>, uint32_t, uint32_t>},
    {"szext.clamp.s32", binary<Extend<true>, int32_t, int32_t, uint32_t>},
    {"szext.clamp.u32", binary<Extend<true>, uint32_t, uint32_t, uint32_t>},
    {"szext.wrap.s32", binary<Extend<false>, int32_t, int32_t, uint32_t>},
    {"szext.wrap.u32", binary<Extend<false>, uint32_t, uint32_t, uint32_t>},
    {"prmt", ternary<Permute, uint32_t, uint32_t>},
    {"prmt.f4e", ternary<PermuteMode<kForward>, uint32_t, uint32_t>},
    {"prmt.b4e", ternary<PermuteMode<kBackward>, uint32_t, uint32_t>},
    {"prmt.rc8", ternary<PermuteMode<kReplicate8>, uint32_t, uint32_t>},
    {"prmt.ecl", ternary<PermuteMode<kEdgeClampLeft>, uint32_t, uint32_t>},
    {"prmt.ecr", ternary<PermuteMode<kEdgeClampRight>, uint32_t, uint32_t>},
    {"prmt.rc16", ternary<PermuteMode<kReplicate16>, uint32_t, uint32_t>},
    {"lop3", lop3},
    {"lop3.and", lop3_predicate<true>},
    {"lop3.or", lop3_predicate<false>},
    VGPU_DOT("u32.u32", uint8_t, uint8_t, uint16_t),
    VGPU_DOT("u32.s32", uint8_t, int8_t, uint16_t),
    VGPU_DOT("s32.u32", int8_t, uint8_t, int16_t),
    VGPU_DOT("s32.s32", int8_t, int8_t, int16_t),
    {nullptr, nullptr},
};
#undef VGPU_BITWISE
#undef VGPU_SHIFT
#undef VGPU_DOT

}  // namespace vgpu::VGPU_ISA
