// Conversions to and from the narrow formats: f16, bf16, tf32, e4m3 and e5m2.
//
// One exact routine rounds a double's bit pattern to any format in any mode. Sources that a double cannot
// hold (large 64-bit integers) are rounded to odd first, which leaves the final rounding right. The
// conversions that programs use all the time, to nearest without further modifiers, have vector loops.
#include "ops/integer_flags.h"
#include "ops/simd_float.h"

namespace vgpu::VGPU_ISA {
namespace {

// kMax is the largest finite pattern; a format without infinities overflows to its NaN.
struct F16 {
  static constexpr uint32_t kMantissa = 10, kMax = 0x7BFF, kInfinity = 0x7C00, kNan = 0x7FFF, kSign = 0x8000;
  static constexpr int32_t kBias = 15;
};
struct Bf16 {
  static constexpr uint32_t kMantissa = 7, kMax = 0x7F7F, kInfinity = 0x7F80, kNan = 0x7FFF, kSign = 0x8000;
  static constexpr int32_t kBias = 127;
};
struct Tf32 {  // without the 13 bits below
  static constexpr uint32_t kMantissa = 10, kMax = 0x3FBFF, kInfinity = 0x3FC00, kNan = 0x3FFFF,
                            kSign = 0x40000;
  static constexpr int32_t kBias = 127;
};
struct E4m3 {
  static constexpr uint32_t kMantissa = 3, kMax = 0x7E, kInfinity = 0x7F, kNan = 0x7F, kSign = 0x80;
  static constexpr int32_t kBias = 7;
};
struct E5m2 {
  static constexpr uint32_t kMantissa = 2, kMax = 0x7B, kInfinity = 0x7C, kNan = 0x7F, kSign = 0x80;
  static constexpr int32_t kBias = 15;
};

inline constexpr uint64_t kDoubleSign = uint64_t{1} << 63, kDoubleInfinity = 0x7FF0'0000'0000'0000u;

// 1 when what was dropped rounds the magnitude up. `rest` of `one` units is dropped, `odd` is the kept part's
// last bit.
VGPU_INLINE uint64_t increment(Round mode, bool negative, uint64_t rest, uint64_t one, bool odd) {
  switch (mode) {
    case Round::NearestEven:
      return rest > one / 2 || (rest == one / 2 && odd) ? 1 : 0;
    case Round::NearestAway:
      return rest >= one / 2 ? 1 : 0;
    case Round::Up:
      return rest != 0 && !negative ? 1 : 0;
    case Round::Down:
      return rest != 0 && negative ? 1 : 0;
    case Round::Zero:
      break;
  }
  return 0;
}

template <class Format>
VGPU_INLINE uint32_t overflow(Round mode, bool negative) {
  if (mode == Round::Zero || (mode == Round::Up && negative) || (mode == Round::Down && !negative))
    return Format::kMax;
  return Format::kInfinity;
}

// The pattern of x in a narrow format, rounded as `flags` say.
template <class Format>
VGPU_INLINE uint32_t round_to(double x, uint32_t flags) {
  const Round mode = static_cast<Round>(flags & flag::kRoundMask);
  const uint64_t bits = bits_as<uint64_t>(x), magnitude = bits & ~kDoubleSign;
  const bool negative = bits != magnitude;
  if (magnitude > kDoubleInfinity) return Format::kNan;
  if (negative && (flags & flag::kRelu)) return 0;
  const uint32_t sign = negative ? Format::kSign : 0;
  const int32_t stored = static_cast<int32_t>(magnitude >> 52);
  const int32_t exponent = (stored == 0 ? 1 : stored) - 1023;
  constexpr int32_t kSmallest =
      1 - Format::kBias;  // exponent of the subnormals and the smallest normal numbers
  const uint64_t significand = (magnitude & 0xF'FFFF'FFFF'FFFFu) | uint64_t{stored != 0} << 52;
  const int32_t below = exponent < kSmallest ? kSmallest - exponent : 0;
  const int32_t wanted = 52 - static_cast<int32_t>(Format::kMantissa) + below;
  const uint32_t shift = static_cast<uint32_t>(wanted < 60 ? wanted : 60);  // a significand has 53 bits
  const uint64_t one = uint64_t{1} << shift, kept = significand >> shift, rest = significand & (one - 1);
  const uint64_t rounded = kept + increment(mode, negative, rest, one, kept & 1);
  // A subnormal that rounds up to 2^kMantissa is the smallest normal number by itself, and so on upwards.
  const int64_t base = below > 0 ? 0 : int64_t{exponent - kSmallest} << Format::kMantissa;
  const int64_t pattern = base + static_cast<int64_t>(rounded);
  if (pattern <= int64_t{Format::kMax}) return sign | static_cast<uint32_t>(pattern);
  if (flags & convert::kFinite) return sign | Format::kMax;
  return sign | (magnitude == kDoubleInfinity ? Format::kInfinity : overflow<Format>(mode, negative));
}

// Exact value of a source lane, except that a 64-bit integer of more than 53 bits is rounded to odd.
VGPU_INLINE double value_of(double x) {
  return x;
}
VGPU_INLINE double value_of(float x) {
  return static_cast<double>(x);
}
VGPU_INLINE double value_of(int32_t x) {
  return static_cast<double>(x);
}
VGPU_INLINE double value_of(uint32_t x) {
  return static_cast<double>(x);
}
VGPU_INLINE double value_of(uint64_t x) {
  if (x >> 53 == 0) return static_cast<double>(static_cast<int64_t>(x));
  const uint64_t sticky = (x & 0x7FF) != 0 ? 1 : 0;
  return static_cast<double>(static_cast<int64_t>(x >> 11 | sticky)) * 2048.0;
}
VGPU_INLINE double value_of(int64_t x) {
  return x < 0 ? -value_of(uint64_t{0} - static_cast<uint64_t>(x)) : value_of(static_cast<uint64_t>(x));
}

template <class A>
VGPU_INLINE double input(A x, uint32_t) {
  return value_of(x);
}
VGPU_INLINE double input(float x, uint32_t flags) {
  return value_of(flags & flag::kFtz ? flush(x) : x);
}

// The general form: a lane at a time.
template <class Format, class D, class A>
VGPU_INLINE void narrow_lanes(Warp& w, const Inst& inst) {
  const A* a = lanes<A>(w, inst.a);
  alignas(64) D r[kLanes];
  constexpr uint32_t kUnused = sizeof(D) == 4 ? 13 : 0;  // tf32 lies in the upper bits of its register
  VGPU_FOR_LANES(w.exec, i) {
    const uint32_t pattern = round_to<Format>(input(a[i], inst.flags), inst.flags);
    r[i] = static_cast<D>(pattern == Format::kNan && kUnused != 0 ? 0x7FFF'FFFFu : pattern << kUnused);
  }
  VGPU_FOR_LANES(w.exec, i) lanes<D>(w, inst.d)[i] = r[i];
}
template <class Format, class D, class A>
Status narrow(Warp& w, const Inst& inst) {
  narrow_lanes<Format, D, A>(w, inst);
  return Status::Next;
}

Status float_to_half_lanes(Warp& w, const Inst& inst) {
  if (inst.flags != 0) return narrow<F16, uint16_t, float>(w, inst);
  alignas(64) uint16_t h[kLanes];
  float_to_half<0>(h, lanes<float>(w, inst.a));
  blend(lanes<uint16_t>(w, inst.d), h, w.exec);
  return Status::Next;
}
struct NarrowBfloat {
  VGPU_FORCE uint16_t operator()(float x) const { return float_to_bfloat(x); }
};
Status float_to_bfloat_lanes(Warp& w, const Inst& inst) {
  if (inst.flags != 0) return narrow<Bf16, uint16_t, float>(w, inst);
  return unary<NarrowBfloat, uint16_t, float>(w, inst);
}

// Pairs: the first source goes to the upper half.
template <class Format, class D>
Status narrow_pair(Warp& w, const Inst& inst) {
  const float* a = lanes<float>(w, inst.a);
  const float* b = lanes<float>(w, inst.b);
  D* d = lanes<D>(w, inst.d);
  VGPU_FOR_LANES(w.exec, i) {
    const uint32_t high = round_to<Format>(input(a[i], inst.flags), inst.flags);
    const uint32_t low = round_to<Format>(input(b[i], inst.flags), inst.flags);
    d[i] = static_cast<D>(high << 4 * sizeof(D) | low);
  }
  return Status::Next;
}
Status floats_to_half_pair(Warp& w, const Inst& inst) {
  if (inst.flags != 0) return narrow_pair<F16, uint32_t>(w, inst);
  alignas(64) uint16_t high[kLanes], low[kLanes];
  float_to_half<0>(high, lanes<float>(w, inst.a));
  float_to_half<0>(low, lanes<float>(w, inst.b));
  store_lanes(w, lanes<uint32_t>(w, inst.d),
              [&](uint32_t i) -> uint32_t { return uint32_t{high[i]} << 16 | low[i]; });
  return Status::Next;
}
struct BfloatPair {
  VGPU_FORCE uint32_t operator()(float high, float low) const {
    return uint32_t{float_to_bfloat(high)} << 16 | float_to_bfloat(low);
  }
};
Status floats_to_bfloat_pair(Warp& w, const Inst& inst) {
  if (inst.flags != 0) return narrow_pair<Bf16, uint32_t>(w, inst);
  return binary<BfloatPair, uint32_t, float>(w, inst);
}

template <class Format>
Status half_pair_to_bytes(Warp& w, const Inst& inst) {
  alignas(64) float value[2 * kLanes];
  half_to_float(value, lanes<uint16_t>(w, inst.a));
  half_to_float(value + kLanes, lanes<uint16_t>(w, inst.a) + kLanes);
  uint16_t* d = lanes<uint16_t>(w, inst.d);
  VGPU_FOR_LANES(w.exec, i) {
    const uint32_t low = round_to<Format>(value_of(value[2 * i]), inst.flags);
    const uint32_t high = round_to<Format>(value_of(value[2 * i + 1]), inst.flags);
    d[i] = static_cast<uint16_t>(high << 8 | low);
  }
  return Status::Next;
}

// A byte as f16, which holds every value of both formats.
VGPU_INLINE uint32_t half_of(E5m2, uint32_t byte) {
  return (byte & 0x7F) > E5m2::kInfinity ? F16::kNan : byte << 8;
}
VGPU_INLINE uint32_t half_of(E4m3, uint32_t byte) {
  const uint32_t magnitude = byte & 0x7F, sign = (byte & 0x80) << 8;
  if (magnitude == E4m3::kNan) return F16::kNan;
  if (magnitude >= 8) return sign | ((magnitude << 7) + ((F16::kBias - E4m3::kBias) << 10));
  if (magnitude == 0) return sign;
  const uint32_t lead = 31 - static_cast<uint32_t>(__builtin_clz(magnitude));  // subnormal: magnitude * 2^-9
  return sign | (lead + 6) << 10 | (magnitude << (10 - lead) & 0x3FF);
}
template <class Format>
Status bytes_to_half_pair(Warp& w, const Inst& inst) {
  const uint16_t* a = lanes<uint16_t>(w, inst.a);
  uint32_t* d = lanes<uint32_t>(w, inst.d);
  const bool relu = inst.flags & flag::kRelu;
  auto half = [&](uint32_t byte) {
    const uint32_t h = half_of(Format(), byte);
    return relu && h >= F16::kSign ? 0 : h;  // NaN has no sign here
  };
  VGPU_FOR_LANES(w.exec, i) d[i] = half(a[i] >> 8) << 16 | half(a[i] & 0xFFu);
  return Status::Next;
}

}  // namespace

#define VGPU_NARROW(name, Format)                                \
  {"cvt." name ".f64", narrow<Format, uint16_t, double>},        \
      {"cvt." name ".s32", narrow<Format, uint16_t, int32_t>},   \
      {"cvt." name ".u32", narrow<Format, uint16_t, uint32_t>},  \
      {"cvt." name ".s64", narrow<Format, uint16_t, int64_t>}, { \
    "cvt." name ".u64", narrow<Format, uint16_t, uint64_t>       \
  }

const HandlerEntry kFloatConvertHandlers[] = {
    {"cvt.f16.f32", float_to_half_lanes},
    {"cvt.bf16.f32", float_to_bfloat_lanes},
    VGPU_NARROW("f16", F16),
    VGPU_NARROW("bf16", Bf16),
    {"cvt.tf32.f32", narrow<Tf32, uint32_t, float>},
    {"cvt.f16x2.f32", floats_to_half_pair},
    {"cvt.bf16x2.f32", floats_to_bfloat_pair},
    {"cvt.e4m3x2.f32", narrow_pair<E4m3, uint16_t>},
    {"cvt.e5m2x2.f32", narrow_pair<E5m2, uint16_t>},
    {"cvt.e4m3x2.f16x2", half_pair_to_bytes<E4m3>},
    {"cvt.e5m2x2.f16x2", half_pair_to_bytes<E5m2>},
    {"cvt.f16x2.e4m3x2", bytes_to_half_pair<E4m3>},
    {"cvt.f16x2.e5m2x2", bytes_to_half_pair<E5m2>},
    {nullptr, nullptr},
};
#undef VGPU_NARROW

}  // namespace vgpu::VGPU_ISA
