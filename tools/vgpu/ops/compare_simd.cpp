// Comparisons and selections: setp and selp. `set` and `slct` are lowered to pairs of them.
//
// Every comparison comes down to eq, lt, le, ne (ordered) and num, with operands swapped or the outcome
// inverted by the rule: `gt` is lt with operands swapped, `geu` (or unordered) is an inverted lt. A
// comparison becomes lanes of 0 or -1, whose top bits are the mask.
#include "ops/integer_flags.h"
#include "ops/simd_float.h"

namespace vgpu::VGPU_ISA {
namespace {

#define VGPU_COMPARISON(Name, expression)        \
  struct Name {                                  \
    template <class T>                           \
    VGPU_FORCE bool operator()(T a, T b) const { \
      return expression;                         \
    }                                            \
  };
VGPU_COMPARISON(Equal, a == b)
VGPU_COMPARISON(Less, a < b)
VGPU_COMPARISON(LessEqual, a <= b)
VGPU_COMPARISON(OrderedUnequal, __builtin_islessgreater(a, b))
VGPU_COMPARISON(Ordered, !__builtin_isunordered(a, b))
#undef VGPU_COMPARISON

// The outcome combined with predicate c, as the flags say.
VGPU_INLINE uint32_t combine(uint32_t outcome, uint32_t flags, uint32_t c) {
  switch (flags & compare::kCombine) {
    case compare::kAnd:
      return outcome & c;
    case compare::kOr:
      return outcome | c;
    case compare::kXor:
      return outcome ^ c;
    default:
      return outcome;
  }
}
VGPU_INLINE uint32_t third_predicate(Warp& w, const Inst& inst) {
  return inst.flags & compare::kCombine ? read_mask(w, inst.c) : 0;
}

// p = outcome op c, q = !outcome op c; either may be absent.
VGPU_INLINE void write_outcome(Warp& w, const Inst& inst, uint32_t outcome) {
  const uint32_t c = third_predicate(w, inst);
  const Ref q = static_cast<Ref>(inst.imm);
  if (inst.flags & compare::kInvert) outcome = ~outcome;
  if (inst.d != kNoRef) write_mask(w, inst.d, combine(outcome, inst.flags, c));
  if (q != kNoRef) write_mask(w, q, combine(~outcome, inst.flags, c));
}

template <class F, class T>
VGPU_INLINE uint32_t outcome_of(const T* a, const T* b) {
  using Lane = typename IntegerOf<(sizeof(T) > 4 ? 8 : 4)>::Signed;
  alignas(64) Lane r[kLanes];
  VGPU_LANE_LOOP r[i] = F()(a[i], b[i]) ? Lane{-1} : Lane{0};
  return sign_mask(r);
}

template <class F, class T>
Status set_predicate(Warp& w, const Inst& inst) {
  const uint32_t outcome = outcome_of<F>(lanes<T>(w, inst.a), lanes<T>(w, inst.b));
  write_outcome(w, inst, outcome);
  return Status::Next;
}
template <class F, class T>
Status set_predicate_float(Warp& w, const Inst& inst) {
  const FloatMode mode(inst.flags & flag::kFtz);
  return set_predicate<F, T>(w, inst);
}

// f16 and bf16, compared as floats. kStride 2: the low or high halves of packed pairs.
struct HalfBits {
  static constexpr uint16_t kExponent = 0x7C00;
  VGPU_INLINE void widen(float* d, const uint16_t* a) { half_to_float(d, a); }
};
struct BfloatBits {
  static constexpr uint16_t kExponent = 0x7F80;
  VGPU_INLINE void widen(float* d, const uint16_t* a) { VGPU_LANE_LOOP d[i] = bfloat_to_float(a[i]); }
};
template <class Format, uint32_t kStride>
VGPU_INLINE void load_floats(Warp& w, Ref ref, uint32_t first, bool ftz, float* d) {
  alignas(64) uint16_t bits[kLanes];
  const uint16_t* from = lanes<uint16_t>(w, ref) + first;
  VGPU_LANE_LOOP bits[i] = from[i * kStride];
  if (ftz)
    VGPU_LANE_LOOP bits[i] =
        static_cast<uint16_t>((bits[i] & Format::kExponent) ? bits[i] : bits[i] & 0x8000);
  Format::widen(d, bits);
}
template <class F, class Format, uint32_t kStride>
VGPU_INLINE uint32_t half_outcome(Warp& w, const Inst& inst, uint32_t first) {
  alignas(64) float a[kLanes], b[kLanes];
  load_floats<Format, kStride>(w, inst.a, first, inst.flags & flag::kFtz, a);
  load_floats<Format, kStride>(w, inst.b, first, inst.flags & flag::kFtz, b);
  return outcome_of<F>(a, b);
}
template <class F, class Format>
Status set_predicate_half(Warp& w, const Inst& inst) {
  write_outcome(w, inst, half_outcome<F, Format, 1>(w, inst, 0));
  return Status::Next;
}
template <class F, class Format>
Status set_predicate_pair(Warp& w, const Inst& inst) {  // p for the low halves, q for the high ones
  const uint32_t c = third_predicate(w, inst);
  const uint32_t invert = inst.flags & compare::kInvert ? kAllLanes : 0;
  const uint32_t low = half_outcome<F, Format, 2>(w, inst, 0) ^ invert;
  const uint32_t high = half_outcome<F, Format, 2>(w, inst, 1) ^ invert;
  write_mask(w, inst.d, combine(low, inst.flags, c));
  write_mask(w, static_cast<Ref>(inst.imm), combine(high, inst.flags, c));
  return Status::Next;
}

template <class T>
Status select(Warp& w, const Inst& inst) {
  alignas(64) T r[kLanes];
  memcpy(r, lanes<T>(w, inst.b), sizeof(r));
  blend(r, lanes<T>(w, inst.a), read_mask(w, inst.c));
  T* d = lanes<T>(w, inst.d);
  if (w.exec == kAllLanes)
    memcpy(d, r, sizeof(r));
  else
    blend(d, r, w.exec);
  return Status::Next;
}

}  // namespace

#define VGPU_FLOAT_SET(type, shape, T)                                                       \
  {"setp.eq." type, shape<Equal, T>}, {"setp.lt." type, shape<Less, T>},                     \
      {"setp.le." type, shape<LessEqual, T>}, {"setp.ne." type, shape<OrderedUnequal, T>}, { \
    "setp.num." type, shape<Ordered, T>                                                      \
  }

const HandlerEntry kCompareHandlers[] = {
    {"setp.eq.b16", set_predicate<Equal, uint16_t>},
    {"setp.eq.b32", set_predicate<Equal, uint32_t>},
    {"setp.eq.b64", set_predicate<Equal, uint64_t>},
    {"setp.lt.u16", set_predicate<Less, uint16_t>},
    {"setp.lt.u32", set_predicate<Less, uint32_t>},
    {"setp.lt.u64", set_predicate<Less, uint64_t>},
    {"setp.lt.s16", set_predicate<Less, int16_t>},
    {"setp.lt.s32", set_predicate<Less, int32_t>},
    {"setp.lt.s64", set_predicate<Less, int64_t>},
    VGPU_FLOAT_SET("f32", set_predicate_float, float),
    VGPU_FLOAT_SET("f64", set_predicate_float, double),
    VGPU_FLOAT_SET("f16", set_predicate_half, HalfBits),
    VGPU_FLOAT_SET("bf16", set_predicate_half, BfloatBits),
    VGPU_FLOAT_SET("f16x2", set_predicate_pair, HalfBits),
    VGPU_FLOAT_SET("bf16x2", set_predicate_pair, BfloatBits),
    {"selp.b16", select<uint16_t>},
    {"selp.b32", select<uint32_t>},
    {"selp.b64", select<uint64_t>},
    {nullptr, nullptr},
};
#undef VGPU_FLOAT_SET

}  // namespace vgpu::VGPU_ISA
