// Moves: whole registers, and packing and unpacking of `mov.b64 %rd, {%r1, %r2}` and its like.
//
// Also the integer conversions without saturation, which are moves that drop or fill upper bytes: trunc.bD.bS
// and ext.bD.sS / ext.bD.uS.
#include "ops/simd_support.h"

namespace vgpu::VGPU_ISA {
namespace {

struct Wide {  // 16 bytes a lane
  uint64_t low, high;
};

struct Copy {
  template <class T>
  VGPU_FORCE T operator()(T a) const {
    return a;
  }
};
template <class D>
struct Convert {
  template <class A>
  VGPU_FORCE D operator()(A a) const {
    return static_cast<D>(a);
  }
};

Status move_predicate(Warp& w, const Inst& inst) {
  write_mask(w, inst.d, read_mask(w, inst.a));
  return Status::Next;
}

// refs: the parts, lowest first, kNoRef for a part nobody wants.
template <class Whole, class Part>
Status unpack(Warp& w, const Inst& inst) {
  constexpr uint32_t kCount = sizeof(Whole) / sizeof(Part);
  const Part* from = lanes<Part>(w, inst.a);
  for (uint32_t k = 0; k < kCount; ++k) {
    const Ref d = w.refs[inst.extra + k];
    if (d != kNoRef)
      store_lanes(w, lanes<Part>(w, d), [&](uint32_t i) -> Part { return from[i * kCount + k]; });
  }
  return Status::Next;
}
template <class Whole, class Part>
VGPU_INLINE Whole joined(const Part* const* parts, uint32_t count, uint32_t i) {
  Whole whole = 0;
  for (uint32_t k = 0; k < count; ++k)
    whole = static_cast<Whole>(whole |
                               static_cast<Whole>(static_cast<Whole>(parts[k][i]) << 8 * sizeof(Part) * k));
  return whole;
}
template <class Whole, class Part>
Status pack(Warp& w, const Inst& inst) {
  constexpr uint32_t kCount = sizeof(Whole) / sizeof(Part);
  const Part* parts[kCount];
  for (uint32_t k = 0; k < kCount; ++k) parts[k] = lanes<Part>(w, w.refs[inst.extra + k]);
  store_lanes(w, lanes<Whole>(w, inst.d), [&](uint32_t i) -> Whole {
    if constexpr (sizeof(Whole) <= 8) {
      return joined<Whole>(parts, kCount, i);
    } else {
      return {joined<uint64_t>(parts, kCount / 2, i), joined<uint64_t>(parts + kCount / 2, kCount / 2, i)};
    }
  });
  return Status::Next;
}

}  // namespace

#define VGPU_VECTOR(whole, part, Whole, Part)        \
  {"unpack." whole "." part, unpack<Whole, Part>}, { \
    "pack." whole "." part, pack<Whole, Part>        \
  }
#define VGPU_EXTEND(to, To, from, Unsigned_, Signed_)         \
  {"ext." to ".u" from, unary<Convert<To>, To, Unsigned_>}, { \
    "ext." to ".s" from, unary<Convert<To>, To, Signed_>      \
  }
#define VGPU_TRUNCATE(to, To, from, From) \
  { "trunc." to "." from, unary<Convert<To>, To, From> }

const HandlerEntry kMoveHandlers[] = {
    {"mov.pred", move_predicate},
    {"mov.b8", unary<Copy, uint8_t, uint8_t>},
    {"mov.b16", unary<Copy, uint16_t, uint16_t>},
    {"mov.b32", unary<Copy, uint32_t, uint32_t>},
    {"mov.b64", unary<Copy, uint64_t, uint64_t>},
    {"mov.b128", unary<Copy, Wide, Wide>},
    VGPU_VECTOR("b16", "b8", uint16_t, uint8_t),
    VGPU_VECTOR("b32", "b8", uint32_t, uint8_t),
    VGPU_VECTOR("b32", "b16", uint32_t, uint16_t),
    VGPU_VECTOR("b64", "b8", uint64_t, uint8_t),
    VGPU_VECTOR("b64", "b16", uint64_t, uint16_t),
    VGPU_VECTOR("b64", "b32", uint64_t, uint32_t),
    VGPU_VECTOR("b128", "b32", Wide, uint32_t),
    VGPU_VECTOR("b128", "b64", Wide, uint64_t),
    VGPU_EXTEND("b16", uint16_t, "8", uint8_t, int8_t),
    VGPU_EXTEND("b32", uint32_t, "8", uint8_t, int8_t),
    VGPU_EXTEND("b64", uint64_t, "8", uint8_t, int8_t),
    VGPU_EXTEND("b32", uint32_t, "16", uint16_t, int16_t),
    VGPU_EXTEND("b64", uint64_t, "16", uint16_t, int16_t),
    VGPU_EXTEND("b64", uint64_t, "32", uint32_t, int32_t),
    VGPU_TRUNCATE("b8", uint8_t, "b16", uint16_t),
    VGPU_TRUNCATE("b8", uint8_t, "b32", uint32_t),
    VGPU_TRUNCATE("b8", uint8_t, "b64", uint64_t),
    VGPU_TRUNCATE("b16", uint16_t, "b32", uint32_t),
    VGPU_TRUNCATE("b16", uint16_t, "b64", uint64_t),
    VGPU_TRUNCATE("b32", uint32_t, "b64", uint64_t),
    {nullptr, nullptr},
};
#undef VGPU_VECTOR
#undef VGPU_EXTEND
#undef VGPU_TRUNCATE

}  // namespace vgpu::VGPU_ISA
