// f16, f16x2, bf16 and bf16x2 instructions.
//
// A packed register is 64 elements of which lane i owns 2i and 2i + 1, so one loop serves both shapes: kParts
// counts groups of 32 elements. Arithmetic converts a group to floats, computes (half_math.h says why one
// rounding results) and converts back; minimum, maximum and sign operations stay with the patterns.
#include "ops/approx_math.h"
#include "ops/float_flags.h"
#include "ops/half_math.h"

namespace vgpu::VGPU_ISA {
namespace {

// The lanes' mask for group `part` of their elements.
template <uint32_t kParts>
VGPU_INLINE uint32_t element_mask(uint32_t exec, uint32_t part) {
  return kParts == 1 ? exec : _pdep_u32(exec >> 16 * part, 0x55555555u) * 3;
}

VGPU_INLINE void store_elements(uint16_t* d, const uint16_t* r, uint32_t mask) {
  if (mask == kAllLanes) {
    memcpy(d, r, kLanes * sizeof(uint16_t));
  } else {
    blend(d, r, mask);
  }
}

template <class Format>
VGPU_INLINE void load_elements(float* x, const uint16_t* a, bool ftz) {
  if (ftz) {
    alignas(64) uint16_t flushed[kLanes];
    VGPU_LANE_LOOP flushed[i] = flush_half<Format>(a[i]);
    Format::load(x, flushed);
  } else {
    Format::load(x, a);
  }
}

template <class Format>
VGPU_INLINE void apply_flags(uint16_t* r, uint32_t flags) {
  if ((flags & flag::kFtz) != 0) VGPU_LANE_LOOP r[i] = flush_half<Format>(r[i]);
  if ((flags & flag::kSat) != 0) VGPU_LANE_LOOP r[i] = saturate_half<Format>(r[i]);
  if ((flags & flag::kRelu) != 0) VGPU_LANE_LOOP r[i] = relu_half<Format>(r[i]);
}

// d = F(a[, b[, c]]) for a functor on floats.
template <class Format, class F, uint32_t kParts>
Status arithmetic(Warp& w, const Inst& inst) {
  const bool ftz = (inst.flags & flag::kFtz) != 0;
  const Ref sources[3] = {inst.a, inst.b, inst.c};
  for (uint32_t part = 0; part < kParts; ++part) {
    alignas(64) float x[3][kLanes];
    for (uint32_t k = 0; k < F::kInputs; ++k)
      load_elements<Format>(x[k], lanes<uint16_t>(w, sources[k]) + kLanes * part, ftz);
    alignas(64) float y[kLanes];
    VGPU_LANE_LOOP {
      if constexpr (F::kInputs == 1) y[i] = F::value(x[0][i]);
      if constexpr (F::kInputs == 2) y[i] = F::value(x[0][i], x[1][i]);
      if constexpr (F::kInputs == 3) y[i] = F::value(x[0][i], x[1][i], x[2][i]);
    }
    alignas(64) uint16_t r[kLanes];
    Format::store(r, y);
    if ((inst.flags & (flag::kFtz | flag::kSat | flag::kRelu)) != 0) apply_flags<Format>(r, inst.flags);
    store_elements(lanes<uint16_t>(w, inst.d) + kLanes * part, r, element_mask<kParts>(w.exec, part));
  }
  return Status::Next;
}

struct Add {
  static constexpr uint32_t kInputs = 2;
  VGPU_INLINE float value(float a, float b) { return a + b; }
};
struct Subtract {
  static constexpr uint32_t kInputs = 2;
  VGPU_INLINE float value(float a, float b) { return a - b; }
};
struct Multiply {
  static constexpr uint32_t kInputs = 2;
  VGPU_INLINE float value(float a, float b) { return a * b; }
};
template <class Format>
struct FusedMultiplyAdd {
  static constexpr uint32_t kInputs = 3;
  VGPU_INLINE float value(float a, float b, float c) { return Format::fma(a, b, c); }
};
struct Exp2 {
  static constexpr uint32_t kInputs = 1;
  VGPU_INLINE float value(float a) { return double_to_odd_float(approx_exp2(static_cast<double>(a))); }
};
struct Tanh {
  static constexpr uint32_t kInputs = 1;
  VGPU_INLINE float value(float a) { return double_to_odd_float(approx_tanh(static_cast<double>(a))); }
};

// Operations on patterns: one value, or two, and Inst::flags.
template <class F, uint32_t kParts>
Status pattern_unary(Warp& w, const Inst& inst) {
  const uint32_t flags = inst.flags;
  for (uint32_t part = 0; part < kParts; ++part) {
    const uint16_t* a = lanes<uint16_t>(w, inst.a) + kLanes * part;
    alignas(64) uint16_t r[kLanes];
    VGPU_LANE_LOOP r[i] = F::value(a[i], flags);
    store_elements(lanes<uint16_t>(w, inst.d) + kLanes * part, r, element_mask<kParts>(w.exec, part));
  }
  return Status::Next;
}
template <class F, uint32_t kParts>
Status pattern_binary(Warp& w, const Inst& inst) {
  const uint32_t flags = inst.flags;
  for (uint32_t part = 0; part < kParts; ++part) {
    const uint16_t* a = lanes<uint16_t>(w, inst.a) + kLanes * part;
    const uint16_t* b = lanes<uint16_t>(w, inst.b) + kLanes * part;
    alignas(64) uint16_t r[kLanes];
    VGPU_LANE_LOOP r[i] = F::value(a[i], b[i], flags);
    store_elements(lanes<uint16_t>(w, inst.d) + kLanes * part, r, element_mask<kParts>(w.exec, part));
  }
  return Status::Next;
}

template <class Format>
VGPU_INLINE uint16_t flush_if(uint16_t x, uint32_t flags) {
  const uint16_t small_kept = static_cast<uint16_t>((flags & flag::kFtz) != 0 ? 0x8000 : 0xFFFF);
  return static_cast<uint16_t>((x & Format::kExponent) == 0 ? x & small_kept : x);
}
template <class Format>
struct Negate {
  VGPU_INLINE uint16_t value(uint16_t x, uint32_t flags) {
    return static_cast<uint16_t>(flush_if<Format>(x, flags) ^ 0x8000);
  }
};
template <class Format>
struct Absolute {
  VGPU_INLINE uint16_t value(uint16_t x, uint32_t flags) {
    return static_cast<uint16_t>(flush_if<Format>(x, flags) & 0x7FFF);
  }
};

// Minimum and maximum as for f32: -0 < +0, a NaN loses against a number unless .NaN is given; two give
// 0x7fff. Patterns with the magnitude of negative values inverted are ordered as integers. The rule puts
// kFree for .xorsign.abs.
template <class Format, bool kMax>
struct Extreme {
  VGPU_INLINE uint16_t value(uint16_t a, uint16_t b, uint32_t flags) {
    const bool xor_sign = (flags & extreme::kXorSign) != 0;
    const uint16_t kept = static_cast<uint16_t>(xor_sign ? 0x7FFF : 0xFFFF);
    const uint16_t sign = static_cast<uint16_t>((a ^ b) & (xor_sign ? 0x8000 : 0));
    const uint16_t x = static_cast<uint16_t>(flush_if<Format>(a, flags) & kept);
    const uint16_t y = static_cast<uint16_t>(flush_if<Format>(b, flags) & kept);
    const bool x_nan = half_is_nan<Format>(x), y_nan = half_is_nan<Format>(y);
    const bool take_x = kMax ? ordered(x) > ordered(y) : ordered(x) < ordered(y);
    const uint16_t number = static_cast<uint16_t>((x_nan ? y : y_nan ? x : take_x ? x : y) | sign);
    const bool spoilt = (x_nan & y_nan) | ((x_nan | y_nan) & ((flags & flag::kNan) != 0));
    return spoilt ? uint16_t{0x7FFF} : number;
  }
  VGPU_INLINE int16_t ordered(uint16_t x) {
    const int16_t pattern = static_cast<int16_t>(x);
    return static_cast<int16_t>(pattern ^ ((pattern >> 15) & 0x7FFF));
  }
};

// f16 and bf16 sources of mixed-precision instructions, widened.
template <class Format>
Status widen(Warp& w, const Inst& inst) {
  alignas(64) float r[kLanes];
  Format::load(r, lanes<uint16_t>(w, inst.a));
  blend(lanes<float>(w, inst.d), r, w.exec);
  return Status::Next;
}

}  // namespace

#define HALF_TABLE(name, Format, parts)                                                                \
  {"add." name, arithmetic<Format, Add, parts>}, {"sub." name, arithmetic<Format, Subtract, parts>},   \
      {"mul." name, arithmetic<Format, Multiply, parts>},                                              \
      {"fma." name, arithmetic<Format, FusedMultiplyAdd<Format>, parts>},                              \
      {"ex2." name, arithmetic<Format, Exp2, parts>}, {"tanh." name, arithmetic<Format, Tanh, parts>}, \
      {"neg." name, pattern_unary<Negate<Format>, parts>},                                             \
      {"abs." name, pattern_unary<Absolute<Format>, parts>},                                           \
      {"min." name, pattern_binary<Extreme<Format, false>, parts>}, {                                  \
    "max." name, pattern_binary<Extreme<Format, true>, parts>                                          \
  }

extern const HandlerEntry kHalfHandlers[] = {
    HALF_TABLE("f16", Half, 1),
    HALF_TABLE("f16x2", Half, 2),
    HALF_TABLE("bf16", BFloat, 1),
    HALF_TABLE("bf16x2", BFloat, 2),
    {"widen.f16", widen<Half>},
    {"widen.bf16", widen<BFloat>},
    {nullptr, nullptr},
};

}  // namespace vgpu::VGPU_ISA
