// cvt as PTX text: the chains of steps that its rules put together.
#include <cmath>
#include <limits>
#include <random>

#include "tests/unit/word_kernel.h"

namespace vgpu::test {
namespace {

using Big = __int128;

Words words(uint32_t seed) {
  std::mt19937_64 random(seed);
  Words list = {0,      1,          0x7F,       0x80,       0xFF,      0x7FFF,     0x8000,
                0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, INT64_MAX, 1ull << 63, ~0ull};
  while (list.size() < 256) list.push_back(random() >> random() % 64);
  return list;
}
template <class Reference>
void check(const std::string& lines, const std::string& result, const Words& a, Reference reference) {
  check_words(lines, result, a, words(2), words(3),
              [&](uint64_t x, uint64_t y, uint64_t) { return reference(x, y); });
}

struct IntegerType {
  bool is_signed;
  int bits;
  std::string name() const { return (is_signed ? "s" : "u") + std::to_string(bits); }
  Big low() const { return is_signed ? -(Big{1} << (bits - 1)) : 0; }
  Big high() const { return (Big{1} << (is_signed ? bits - 1 : bits)) - 1; }
  Big of(Big x) const {  // the low bits of x, as a number of this type
    const Big unit = Big{1} << bits, rest = ((x % unit) + unit) % unit;
    return rest > high() ? rest - unit : rest;
  }
};
struct RegisterKind {
  std::string letter;
  int bits;
};

TEST_CASE("cvt from integer to integer, into registers of every size", "[convert][ptx]") {
  std::vector<IntegerType> types;
  for (int bits : {8, 16, 32, 64})
    for (bool is_signed : {false, true}) types.push_back({is_signed, bits});
  const RegisterKind kinds[] = {{"h", 16}, {"r", 32}, {"d", 64}};
  for (const IntegerType& from : types)
    for (const IntegerType& to : types)
      for (const RegisterKind& source : kinds)
        for (const RegisterKind& target : kinds) {
          if (source.bits < from.bits || target.bits < to.bits) continue;
          if (source.bits > std::max(2 * from.bits, 16) || target.bits > std::max(2 * to.bits, 16)) continue;
          for (const bool sat : {false, true}) {
            const std::string line = std::string("cvt.") + (sat ? "sat." : "") + to.name() + "." +
                                     from.name() + " %" + target.letter + "0, %" + source.letter + "1;";
            check(line, target.letter, words(1), [&](uint64_t a, uint64_t) {
              const Big value = from.of(static_cast<Big>(a));
              const Big result = sat ? std::min(std::max(value, to.low()), to.high()) : to.of(value);
              return static_cast<uint64_t>(result) & (~0ull >> (64 - target.bits));
            });
          }
        }
}

uint32_t bits_of(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  return x != x ? 0x7FFFFFFF : bits;
}
uint64_t bits_of(double x) {
  uint64_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  return bits;
}
float single(uint64_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof(x));
  return x;
}
double pair_of(uint64_t bits) {
  double x;
  std::memcpy(&x, &bits, sizeof(x));
  return x;
}

// Bits of floats: small integers and halves, large ones, specials.
Words floats() {
  Words list;
  std::mt19937_64 random(5);
  for (float x : {0.0f, 0.5f, 1.5f, 2.5f, 100.7f, 127.5f, 255.5f, 300.0f, 40000.0f, 3e9f, 5e9f, 1e19f, 3e38f,
                  1e-40f, INFINITY, NAN}) {
    list.push_back(bits_of(x));
    list.push_back(bits_of(-x) | 0x80000000u);
  }
  while (list.size() < 128) list.push_back(random() & 0xFFFFFFFF);
  return list;
}
Words doubles() {
  Words list;
  for (uint64_t bits : floats()) list.push_back(bits_of(static_cast<double>(single(bits)) * 1.0000000001));
  return list;
}

TEST_CASE("cvt from float to integer", "[convert][ptx]") {
  auto clamped = [](double x, double low, double high) {
    return x != x ? 0 : std::min(std::max(x, low), high);
  };
  check("cvt.rzi.s32.f32 %r0, %f1;", "r", floats(), [&](auto a, auto) {
    return static_cast<uint32_t>(static_cast<int32_t>(clamped(std::trunc(single(a)), INT32_MIN, INT32_MAX)));
  });
  check("cvt.rni.u8.f32 %r0, %f1;", "r", floats(),
        [&](auto a, auto) { return static_cast<uint32_t>(clamped(std::nearbyint(single(a)), 0, 255)); });
  check("cvt.rmi.s8.f32 %h0, %f1;", "h", floats(), [&](auto a, auto) {
    return static_cast<uint16_t>(static_cast<int16_t>(clamped(std::floor(single(a)), -128, 127)));
  });
  check("cvt.rpi.ftz.s16.f32 %h0, %f1;", "h", floats(), [&](auto a, auto) {
    const float x = std::fpclassify(single(a)) == FP_SUBNORMAL ? 0 : single(a);
    return static_cast<uint16_t>(static_cast<int16_t>(clamped(std::ceil(x), -32768, 32767)));
  });
  check("cvt.rzi.u64.f64 %d0, %g1;", "d", doubles(), [&](auto a, auto) {
    const double x = pair_of(a);
    return x != x ? 1ull << 63 : x >= 0x1p64 ? ~0ull : x <= 0 ? 0 : static_cast<uint64_t>(x);
  });
  check("cvt.rzi.s32.f64 %r0, %g1;", "r", doubles(), [&](auto a, auto) {
    const double x = pair_of(a);
    return x != x ? 0x80000000u
                  : static_cast<uint32_t>(static_cast<int32_t>(clamped(std::trunc(x), INT32_MIN, INT32_MAX)));
  });
  check("cvt.rzi.s32.f16 %r0, %h1;", "r", floats(), [&](auto a, auto) {
    return static_cast<uint32_t>(
        static_cast<int32_t>(clamped(std::trunc(half_value(a)), INT32_MIN, INT32_MAX)));
  });
  check("cvt.rni.u16.bf16 %h0, %h1;", "h", floats(), [&](auto a, auto) {
    return static_cast<uint16_t>(clamped(std::nearbyint(single(a << 16)), 0, 65535));
  });
}

TEST_CASE("cvt from integer to float", "[convert][ptx]") {
  check("cvt.rn.f32.s32 %f0, %r1;", "f", words(1),
        [](auto a, auto) { return bits_of(static_cast<float>(static_cast<int32_t>(a))); });
  check("cvt.rn.f32.u8 %f0, %r1;", "f", words(1),
        [](auto a, auto) { return bits_of(static_cast<float>(a & 0xFF)); });
  check("cvt.rn.f32.s8 %f0, %h1;", "f", words(1),
        [](auto a, auto) { return bits_of(static_cast<float>(static_cast<int8_t>(a))); });
  check("cvt.rn.f64.u16 %g0, %h1;", "g", words(1),
        [](auto a, auto) { return bits_of(static_cast<double>(a & 0xFFFF)); });
  check("cvt.rn.f64.s64 %g0, %d1;", "g", words(1),
        [](auto a, auto) { return bits_of(static_cast<double>(static_cast<int64_t>(a))); });
  check("cvt.rz.f32.u64 %f0, %d1;", "f", words(1), [](auto a, auto) {
    const float nearest = static_cast<float>(a);
    return bits_of(static_cast<long double>(nearest) > static_cast<long double>(a)
                       ? std::nextafter(nearest, 0.0f)
                       : nearest);
  });
  check("cvt.rn.sat.f32.s32 %f0, %r1;", "f", words(1),
        [](auto a, auto) { return static_cast<int32_t>(a) > 0 ? 0x3F800000 : 0; });
  check("cvt.rn.f16.s16 %h0, %h1;", "h", words(1),
        [](auto a, auto) { return half_bits(static_cast<float>(static_cast<int16_t>(a))); });
  check("cvt.rn.bf16.u32 %h0, %r1;", "h",
        {0, 1, 257, 258, 259, 385, 386, 0xFFFFFFFF, 0x80800000, 0x80800001, 0x81800000, 3,  4,  5,  6,  7,
         8, 9, 10,  11,  12,  13,  14,  15,         16,         17,         18,         19, 20, 21, 22, 23},
        [](auto a, auto) {
          const double x = static_cast<double>(static_cast<uint32_t>(a));
          if (x == 0) return 0u;
          const double unit = std::ldexp(1.0, std::ilogb(x) - 7);
          return bits_of(static_cast<float>(std::nearbyint(x / unit) * unit)) >> 16;
        });
}

TEST_CASE("cvt from float to float", "[convert][ptx]") {
  check("cvt.f64.f32 %g0, %f1;", "g", floats(),
        [](auto a, auto) { return bits_of(static_cast<double>(single(a))); });
  check("cvt.rn.f32.f64 %f0, %g1;", "f", doubles(),
        [](auto a, auto) { return bits_of(static_cast<float>(pair_of(a))); });
  check("cvt.rn.sat.f32.f64 %f0, %g1;", "f", doubles(), [](auto a, auto) {
    const double x = pair_of(a);
    return x > 0 ? bits_of(static_cast<float>(std::min(x, 1.0))) : 0;
  });
  check("cvt.rni.f32.f32 %f0, %f1;", "f", floats(),
        [](auto a, auto) { return bits_of(std::nearbyint(single(a))); });
  check("cvt.rzi.ftz.f32.f32 %f0, %f1;", "f", floats(),
        [](auto a, auto) { return bits_of(std::trunc(single(a))); });
  check("cvt.sat.f32.f32 %f0, %f1;", "f", floats(),
        [](auto a, auto) { return single(a) > 0 ? bits_of(std::min(single(a), 1.0f)) : 0; });
  check("cvt.ftz.f32.f32 %f0, %f1;", "f", floats(), [](auto a, auto) {
    return std::fpclassify(single(a)) == FP_SUBNORMAL ? a & 0x80000000 : bits_of(single(a));
  });
  check("cvt.rpi.f64.f64 %g0, %g1;", "g", doubles(),
        [](auto a, auto) { return bits_of(std::ceil(pair_of(a))); });
  check("cvt.f32.f16 %f0, %h1;", "f", floats(), [](auto a, auto) { return bits_of(half_value(a)); });
  check("cvt.f64.f16 %g0, %h1;", "g",
        {0x3C00, 0x0001, 0x8000, 0x7C00, 0xFBFF, 0x3555, 0,  1,  2,  3,  4,  5,  6,  7,  8,  9,
         10,     11,     12,     13,     14,     15,     16, 17, 18, 19, 20, 21, 22, 23, 24, 25},
        [](auto a, auto) { return bits_of(static_cast<double>(half_value(a))); });
  check("cvt.rn.f16.f32 %h0, %f1;", "h", floats(), [](auto a, auto) {
    const float x = single(a);
    return x != x ? 0x7FFF : half_bits(x);
  });
  check("cvt.rn.bf16.f16 %h0, %h1;", "h",
        {0x3C00, 0x3C01, 0x3C04, 0x3C0C, 0x8001, 0x7C00, 0xFC00, 0x7E00, 0x7BFF, 0,  1,  2,  3,  4,  5,  6,
         7,      8,      9,      10,     11,     12,     13,     14,     15,     16, 17, 18, 19, 20, 21, 22},
        [](auto a, auto) {
          const float x = half_value(a);
          if (x != x) return 0x7FFFu;
          const float unit = x == 0 || std::isinf(x) ? 1 : std::ldexp(1.0f, std::ilogb(x) - 7);
          return bits_of(std::isinf(x) ? x : std::nearbyint(x / unit) * unit) >> 16;
        });
}

TEST_CASE("cvt to narrow floats with modifiers, and pairs", "[convert][ptx]") {
  check("cvt.rn.relu.f16.f32 %h0, %f1;", "h", floats(), [](auto a, auto) {
    const float x = single(a);
    return x != x ? 0x7FFF : std::signbit(x) ? 0 : half_bits(x);
  });
  check("cvt.rn.f16x2.f32 %r0, %f1, %f2;", "r",
        {0x3F800000, 0x40000000, 0xC0000000, 0, 0x3F000000, 0x477FE000, 0x42000000, 0x41000000, 0, 0, 0,
         0,          0,          0,          0, 0,          0,          0,          0,          0, 0, 0,
         0,          0,          0,          0, 0,          0,          0,          0,          0, 0},
        [](auto a, auto b) {
          const float low = single(b);
          return static_cast<uint32_t>(half_bits(single(a))) << 16 |
                 (low != low ? 0x7FFFu : uint32_t{half_bits(low)});
        });
  check("cvt.rna.tf32.f32 %r0, %f1;", "r",
        {0x3F800000, 0x3F800FFF, 0x3F801000, 0x3F801001, 0x3F802FFF, 0x3F803000, 0xBF801000, 0x7F800000,
         0x7FC00000, 0,          0,          0,          0,          0,          0,          0,
         0,          0,          0,          0,          0,          0,          0,          0,
         0,          0,          0,          0,          0,          0,          0,          0},
        [](auto a, auto) {
          if ((a & 0x7FFFFFFF) > 0x7F800000) return uint64_t{0x7FFFFFFF};
          return (a + 0x1000) & 0xFFFFE000;
        });
  check("cvt.rn.satfinite.e4m3x2.f32 %h4, %f1, %f1; cvt.rn.f16x2.e4m3x2 %r0, %h4;", "r",
        {0x3F800000, 0x40000000, 0xC0000000, 0x43E00000, 0x7F800000, 0x50000000, 0x3F000000, 0, 0, 0, 0,
         0,          0,          0,          0,          0,          0,          0,          0, 0, 0, 0,
         0,          0,          0,          0,          0,          0,          0,          0, 0, 0},
        [](auto a, auto) { return half_bits(std::min(single(a), 448.0f)) * 0x00010001u; });
}

TEST_CASE("cvt.pack", "[convert][ptx]") {
  auto saturated = [](uint64_t x, int64_t low, int64_t high) {
    return static_cast<uint64_t>(std::min(std::max(int64_t{static_cast<int32_t>(x)}, low), high));
  };
  check_words("cvt.pack.sat.s8.s32.b32 %r0, %r1, %r2, %r3;", "r", words(1), words(2), words(3),
              [&](auto a, auto b, auto c) {
                return static_cast<uint32_t>(c << 16 | (saturated(a, -128, 127) & 0xFF) << 8 |
                                             (saturated(b, -128, 127) & 0xFF));
              });
  check("cvt.pack.sat.u16.s32 %r0, %r1, %r2;", "r", words(1),
        [&](auto a, auto b) { return saturated(a, 0, 65535) << 16 | saturated(b, 0, 65535); });
}

}  // namespace
}  // namespace vgpu::test
