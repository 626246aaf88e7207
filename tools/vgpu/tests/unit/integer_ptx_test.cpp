// Integer, move, comparison and conversion instructions as PTX text: that the rules choose the right handler,
// operands and constants. What the handlers compute is the matter of integer_test, bits_test and
// convert_test.
#include <cmath>
#include <limits>
#include <random>

#include "tests/unit/word_kernel.h"

namespace vgpu::test {
namespace {

using Big = __int128;
using u128 = unsigned __int128;

Words words(uint32_t seed, size_t count = 256) {
  const Words special = {0,         1,          2,          0x7F,       0x80,       0xFF,
                         0x7FFF,    0x8000,     0xFFFF,     0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
                         INT64_MAX, 1ull << 63, ~0ull,      31,         32,         33,
                         64,        0x3F800000, 0x7FC00000, 0x80000001, 0xFF80FF80};
  std::mt19937_64 random(seed);
  Words list;
  for (size_t i = 0; i < count; ++i)
    list.push_back(random() % 3 == 0 ? random() >> random() % 64 : special[random() % special.size()]);
  return list;
}

template <class Reference>
void check(const std::string& lines, const std::string& result, Reference reference) {
  check_words(lines, result, words(1), words(2), words(3), reference);
}
int32_t s32(uint64_t x) {
  return static_cast<int32_t>(x);
}
uint32_t u32(uint64_t x) {
  return static_cast<uint32_t>(x);
}
int64_t s64(uint64_t x) {
  return static_cast<int64_t>(x);
}
uint16_t u16(uint64_t x) {
  return static_cast<uint16_t>(x);
}
int16_t s16(uint64_t x) {
  return static_cast<int16_t>(x);
}
uint32_t clamp_s32(Big x) {
  return u32(static_cast<uint64_t>(x < INT32_MIN ? INT32_MIN : x > INT32_MAX ? INT32_MAX : x));
}

TEST_CASE("integer arithmetic as PTX", "[integer][ptx]") {
  check("add.s32 %r0, %r1, %r2;", "r", [](auto a, auto b, auto) { return u32(a + b); });
  check("add.u64 %d0, %d1, -5;", "d", [](auto a, auto, auto) { return a - 5; });
  check("add.s16 %h0, %h1, %h2;", "h", [](auto a, auto b, auto) { return u16(a + b); });
  check("add.sat.s32 %r0, %r1, %r2;", "r",
        [](auto a, auto b, auto) { return clamp_s32(Big{s32(a)} + s32(b)); });
  check("sub.s32 %r0, %r1, 7;", "r", [](auto a, auto, auto) { return u32(a - 7); });
  check("sub.sat.s32 %r0, %r1, %r2;", "r",
        [](auto a, auto b, auto) { return clamp_s32(Big{s32(a)} - s32(b)); });
  check("mul.lo.s64 %d0, %d1, %d2;", "d", [](auto a, auto b, auto) { return a * b; });
  check("mul.hi.u32 %r0, %r1, %r2;", "r",
        [](auto a, auto b, auto) { return uint64_t{u32(a)} * u32(b) >> 32; });
  check("mul.hi.s64 %d0, %d1, %d2;", "d",
        [](auto a, auto b, auto) { return static_cast<uint64_t>(Big{s64(a)} * s64(b) >> 64); });
  check("mul.wide.s32 %d0, %r1, %r2;", "d", [](auto a, auto b, auto) { return int64_t{s32(a)} * s32(b); });
  check("mul.wide.u16 %r0, %h1, %h2;", "r",
        [](auto a, auto b, auto) { return uint32_t{u16(a)} * uint32_t{u16(b)}; });
  check("mad.lo.s32 %r0, %r1, %r2, %r3;", "r", [](auto a, auto b, auto c) { return u32(a * b + c); });
  check("mad.wide.u32 %d0, %r1, %r2, %d3;", "d",
        [](auto a, auto b, auto c) { return uint64_t{u32(a)} * u32(b) + c; });
  check("mad.hi.s32 %r0, %r1, %r2, %r3;", "r", [](auto a, auto b, auto c) {
    return u32(static_cast<uint64_t>((Big{s32(a)} * s32(b) >> 32) + Big{u32(c)}));
  });
  check("mad.hi.sat.s32 %r0, %r1, %r2, %r3;", "r",
        [](auto a, auto b, auto c) { return clamp_s32((Big{s32(a)} * s32(b) >> 32) + s32(c)); });
  check("mul24.lo.u32 %r0, %r1, %r2;", "r",
        [](auto a, auto b, auto) { return u32((a & 0xFFFFFF) * (b & 0xFFFFFF)); });
  check("mad24.hi.u32 %r0, %r1, %r2, %r3;", "r",
        [](auto a, auto b, auto c) { return u32(((a & 0xFFFFFF) * (b & 0xFFFFFF) >> 16) + c); });
  check("sad.u32 %r0, %r1, %r2, %r3;", "r",
        [](auto a, auto b, auto c) { return u32(c + std::max(u32(a), u32(b)) - std::min(u32(a), u32(b))); });
  check("div.u32 %r0, %r1, %r2;", "r",
        [](auto a, auto b, auto) { return u32(b) == 0 ? ~0u : u32(a) / u32(b); });
  check("rem.s32 %r0, %r1, %r2;", "r", [](auto a, auto b, auto) {
    return s32(b) == 0 ? ~0u : u32(static_cast<uint64_t>(int64_t{s32(a)} % s32(b)));
  });
  check("abs.s32 %r0, %r1;", "r",
        [](auto a, auto, auto) { return u32(static_cast<uint64_t>(std::llabs(s32(a)))); });
  check("neg.s16 %h0, %h1;", "h", [](auto a, auto, auto) { return u16(0 - a); });
  check("min.s32 %r0, %r1, %r2;", "r",
        [](auto a, auto b, auto) { return u32(static_cast<uint64_t>(std::min(s32(a), s32(b)))); });
  check("max.u64 %d0, %d1, %d2;", "d", [](auto a, auto b, auto) { return std::max(a, b); });
  check("max.s16x2 %r0, %r1, %r2;", "r", [](auto a, auto b, auto) {
    return uint32_t{u16(static_cast<uint64_t>(std::max(s16(a), s16(b))))} |
           uint32_t{u16(static_cast<uint64_t>(std::max(s16(a >> 16), s16(b >> 16))))} << 16;
  });
  check("min.relu.s32 %r0, %r1, %r2;", "r",
        [](auto a, auto b, auto) { return std::max(0, std::min(s32(a), s32(b))); });
}

TEST_CASE("carry chains as PTX", "[integer][ptx]") {
  // (a, b) + (b, c) of 64-bit words, as 32-bit ones; the result is bits 64..127.
  const std::string split = "mov.b64 {%r4, %r5}, %d1; mov.b64 {%r6, %r7}, %d2; mov.b64 {%r8, %r9}, %d3;\n";
  check(split +
            "add.cc.u32 %r0, %r4, %r6; addc.cc.u32 %r1, %r5, %r7; addc.cc.u32 %r2, %r6, %r8; addc.u32 %r3, "
            "%r7, %r9;\n"
            "mov.b64 %d0, {%r2, %r3};",
        "d", [](auto a, auto b, auto c) {
          return static_cast<uint64_t>(((u128{b} << 64 | a) + (u128{c} << 64 | b)) >> 64);
        });
  check("sub.cc.u64 %d4, %d1, %d2; subc.u64 %d0, %d2, %d3;", "d", [](auto a, auto b, auto c) {
    return static_cast<uint64_t>(((u128{b} << 64 | a) - (u128{c} << 64 | b)) >> 64);
  });
  check(split +
            "mul.lo.u32 %r0, %r4, %r6; mul.hi.u32 %r1, %r4, %r6; mad.lo.cc.u32 %r1, %r4, %r7, %r1;\n"
            "madc.hi.u32 %r2, %r4, %r7, 0; mad.lo.cc.u32 %r1, %r5, %r6, %r1; madc.hi.cc.u32 %r2, %r5, %r6, "
            "%r2;\n"
            "addc.u32 %r3, 0, 0; mad.lo.cc.u32 %r2, %r5, %r7, %r2; madc.hi.u32 %r3, %r5, %r7, %r3;\n"
            "mov.b64 %d0, {%r2, %r3};",
        "d", [](auto a, auto b, auto) { return static_cast<uint64_t>(u128{a} * b >> 64); });
}

TEST_CASE("bit operations as PTX", "[bits][ptx]") {
  check("and.b32 %r0, %r1, 0xFF00;", "r", [](auto a, auto, auto) { return a & 0xFF00; });
  check("or.b64 %d0, %d1, %d2;", "d", [](auto a, auto b, auto) { return a | b; });
  check("xor.b16 %h0, %h1, %h2;", "h", [](auto a, auto b, auto) { return u16(a ^ b); });
  check("not.b32 %r0, %r1;", "r", [](auto a, auto, auto) { return u32(~a); });
  check("cnot.b32 %r0, %r1;", "r", [](auto a, auto, auto) { return u32(a) == 0; });
  check("and.pred %p0, %p1, !%p2;", "p", [](auto a, auto b, auto) { return a & ~b & 1; });
  check("xor.pred %p0, %p1, %p2;", "p", [](auto a, auto b, auto) { return (a ^ b) & 1; });
  check("not.pred %p0, %p1;", "p", [](auto a, auto, auto) { return ~a & 1; });
  check("shl.b64 %d0, %d1, %r2;", "d", [](auto a, auto b, auto) { return u32(b) > 63 ? 0 : a << u32(b); });
  check("shr.s32 %r0, %r1, %r2;", "r", [](auto a, auto b, auto) {
    return u32(static_cast<uint64_t>(int64_t{s32(a)} >> std::min(u32(b), 63u)));
  });
  check("shr.u16 %h0, %h1, 3;", "h", [](auto a, auto, auto) { return u16(a) >> 3; });
  check("shf.l.wrap.b32 %r0, %r1, %r2, %r3;", "r",
        [](auto a, auto b, auto c) { return u32((b << 32 | u32(a)) << c % 32 >> 32); });
  check("shf.r.clamp.b32 %r0, %r1, %r2, %r3;", "r",
        [](auto a, auto b, auto c) { return u32((b << 32 | u32(a)) >> std::min(u32(c), 32u)); });
  check("popc.b64 %r0, %d1;", "r", [](auto a, auto, auto) { return __builtin_popcountll(a); });
  check("clz.b32 %r0, %r1;", "r",
        [](auto a, auto, auto) { return u32(a) == 0 ? 32 : __builtin_clz(u32(a)); });
  check("brev.b32 %r0, %r1; brev.b32 %r0, %r0;", "r", [](auto a, auto, auto) { return u32(a); });
  check("bfind.shiftamt.u32 %r0, %r1;", "r", [](auto a, auto, auto) {
    return u32(a) == 0 ? ~0u : u32(static_cast<uint64_t>(__builtin_clz(u32(a))));
  });
  check("fns.b32 %r0, %r1, 0, 1;", "r", [](auto a, auto, auto) {
    return u32(a) == 0 ? ~0u : u32(static_cast<uint64_t>(__builtin_ctz(u32(a))));
  });
  check("bfe.u32 %r0, %r1, 4, 8;", "r", [](auto a, auto, auto) { return a >> 4 & 0xFF; });
  check("bfe.s64 %d0, %d1, 60, 4;", "d", [](auto a, auto, auto) { return s64(a) >> 60; });
  check("bfi.b32 %r0, %r1, %r2, 8, 8;", "r",
        [](auto a, auto b, auto) { return u32((b & ~0xFF00ull) | (a & 0xFF) << 8); });
  check("bfi.b64 %d0, %d1, %d2, 32, 32;", "d", [](auto a, auto b, auto) { return a << 32 | u32(b); });
  check("bmsk.clamp.b32 %r0, 4, 8;", "r", [](auto, auto, auto) { return 0xFF0; });
  check("szext.wrap.s32 %r0, %r1, 8;", "r",
        [](auto a, auto, auto) { return u32(static_cast<uint64_t>(static_cast<int8_t>(a))); });
  check("prmt.b32 %r0, %r1, %r2, 0x5410;", "r",
        [](auto a, auto b, auto) { return uint32_t{u16(b)} << 16 | u16(a); });
  check("prmt.b32.rc8 %r0, %r1, %r2, 1;", "r",
        [](auto a, auto, auto) { return (a >> 8 & 0xFF) * 0x01010101; });
  check("lop3.b32 %r0, %r1, %r2, %r3, 0x96;", "r", [](auto a, auto b, auto c) { return u32(a ^ b ^ c); });
  check("lop3.or.b32 %r0|%p0, %r1, %r2, %r3, 0x80, %p3;", "p",
        [](auto a, auto b, auto c) { return u32(a & b & c) != 0 || (c & 1) != 0; });
  check("lop3.and.b32 %r0|%p0, %r1, %r2, %r3, 0x80, !%p3;", "p",
        [](auto a, auto b, auto c) { return u32(a & b & c) != 0 && (c & 1) == 0; });
  check("dp4a.u32.u32 %r0, %r1, %r2, %r3;", "r", [](auto a, auto b, auto c) {
    for (int k = 0; k < 32; k += 8) c += (a >> k & 0xFF) * (b >> k & 0xFF);
    return u32(c);
  });
  check("dp2a.hi.u32.u32 %r0, %r1, %r2, %r3;", "r", [](auto a, auto b, auto c) {
    return u32(c + (a & 0xFFFF) * (b >> 16 & 0xFF) + (a >> 16 & 0xFFFF) * (b >> 24 & 0xFF));
  });
}

TEST_CASE("mov in all its shapes", "[move][ptx]") {
  check("mov.b64 {%r4, %r5}, %d1; mov.b64 %d0, {%r5, %r4};", "d",
        [](auto a, auto, auto) { return a << 32 | a >> 32; });
  check("mov.b64 {_, %r0}, %d1;", "r", [](auto a, auto, auto) { return a >> 32; });
  check("mov.b32 {%h4, %h5}, %r1; mov.b32 %r0, {%h5, %h2};", "r",
        [](auto a, auto b, auto) { return (a >> 16 & 0xFFFF) | uint32_t{u16(b)} << 16; });
  check("mov.b64 {%h4, %h5, %h6, %h7}, %d1; mov.b64 %d0, {%h7, %h6, %h5, %h4};", "d", [](auto a, auto, auto) {
    return a << 48 | (a << 16 & 0xFFFF00000000) | (a >> 16 & 0xFFFF0000) | a >> 48;
  });
  check("mov.b64 %d0, {%r1, 5};", "d", [](auto a, auto, auto) { return 5ull << 32 | u32(a); });
  check("mov.b128 %q0, {%d1, %d2}; mov.b128 %q1, %q0; mov.b128 {%d4, %d0}, %q1;", "d",
        [](auto, auto b, auto) { return b; });
  check("mov.pred %p4, %p1; not.pred %p0, %p4;", "p", [](auto a, auto, auto) { return ~a & 1; });
  check("mov.f32 %f0, 0f3FC00000;", "f", [](auto, auto, auto) { return 0x3FC00000; });
  check("mov.f64 %g0, 0d3FF8000000000000;", "g", [](auto, auto, auto) { return 0x3FF8000000000000; });
  check("mov.u16 %h0, -1;", "h", [](auto, auto, auto) { return 0xFFFF; });
  check("@%p1 mov.u32 %r1, 9; mov.b32 %r0, %r1;", "r", [](auto a, auto, auto) { return a & 1 ? 9 : u32(a); });
  const Words ids = run_words("mov.u32 %r0, %laneid;", "r", words(1), words(2), words(3));
  for (size_t i = 0; i < ids.size(); ++i) CHECK(ids[i] == i % 32);
}

// What a comparison of two numbers gives; `unordered` where one of them is NaN.
template <class T>
bool holds(const std::string& name, T a, T b) {
  const bool unordered = a != a || b != b;
  const std::string base = name.substr(0, 2);
  if (name == "num" || name == "nan") return unordered == (name == "nan");
  if (unordered) return name.size() == 3;  // ltu and its like
  if (base == "eq") return a == b;
  if (base == "ne") return a != b;
  if (base == "lt" || base == "lo") return a < b;
  if (base == "le" || base == "ls") return a <= b;
  if (base == "gt" || base == "hi") return a > b;
  return a >= b;
}
template <class To>
To bits_to(uint64_t bits) {
  To to;
  std::memcpy(&to, &bits, sizeof(to));
  return to;
}
// Bits of a bfloat as a float.
float bfloat_value(uint64_t bits) {
  return bits_to<float>((bits & 0xFFFF) << 16);
}

template <class Value>
void check_comparisons(const std::string& type, const std::string& letter,
                       const std::vector<std::string>& names, const Words& values, Value value) {
  Words a, b, c;
  for (uint64_t x : values)
    for (uint64_t y : values) {
      a.push_back(x);
      b.push_back(y);
      c.push_back(a.size() % 3);
    }
  for (size_t n = a.size() % 32 == 0 ? 0 : 32 - a.size() % 32; n > 0; --n) {
    a.push_back(a[n]);
    b.push_back(b[n]);
    c.push_back(c[n]);
  }
  a.resize(std::min<size_t>(a.size(), 1024));
  b.resize(a.size());
  c.resize(a.size());
  const std::string operands = ", %" + letter + "1, %" + letter + "2";
  for (const std::string& name : names) {
    auto expected = [&](uint64_t x, uint64_t y) { return holds(name, value(x), value(y)); };
    const std::string set = "setp." + name;
    check_words(set + "." + type + " %p0" + operands + ";", "p", a, b, c,
                [&](auto x, auto y, auto) { return expected(x, y); });
    check_words(set + ".and." + type + " %p0|%p4" + operands +
                    ", %p3; selp.b64 %d0, 1, 0, %p0; @%p4 add.s64 %d0, %d0, 2;",
                "d", a, b, c, [&](auto x, auto y, auto z) { return z & 1 ? (expected(x, y) ? 1 : 2) : 0; });
    check_words(set + ".xor." + type + " _|%p0" + operands + ", !%p3;", "p", a, b, c,
                [&](auto x, auto y, auto z) { return expected(x, y) != ((z & 1) != 0); });
    check_words(set + ".or." + type + " %p0" + operands + ", %p3;", "p", a, b, c,
                [&](auto x, auto y, auto z) { return expected(x, y) || (z & 1) != 0; });
  }
}

const std::vector<std::string> kOrder = {"eq", "ne", "lt", "le", "gt", "ge"};
const std::vector<std::string> kUnsignedOrder = {"eq", "ne", "lt", "le", "gt", "ge", "lo", "ls", "hi", "hs"};
const std::vector<std::string> kFloatOrder = {"eq",  "ne",  "lt",  "le",  "gt",  "ge",  "equ",
                                              "neu", "ltu", "leu", "gtu", "geu", "num", "nan"};

TEST_CASE("comparisons of integers", "[compare][ptx]") {
  const Words values = {0,          1,          2,          0x7FFF,    0x8000,     0xFFFF,
                        0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, INT64_MAX, 1ull << 63, ~0ull};
  check_comparisons("s16", "h", kOrder, values, [](uint64_t x) { return s16(x); });
  check_comparisons("u16", "h", kUnsignedOrder, values, [](uint64_t x) { return u16(x); });
  check_comparisons("s32", "r", kOrder, values, [](uint64_t x) { return s32(x); });
  check_comparisons("u32", "r", kUnsignedOrder, values, [](uint64_t x) { return u32(x); });
  check_comparisons("s64", "d", kOrder, values, [](uint64_t x) { return s64(x); });
  check_comparisons("u64", "d", kUnsignedOrder, values, [](uint64_t x) { return x; });
  check_comparisons("b32", "r", {"eq", "ne"}, values, [](uint64_t x) { return u32(x); });
}

TEST_CASE("comparisons of floats", "[compare][ptx]") {
  const Words singles = {0,          0x80000000, 1,          0x80000001, 0x3F800000,
                         0xBF800000, 0x7F800000, 0xFF800000, 0x7FC00000, 0xFFC00001};
  const Words doubles = {
      0, 1ull << 63, 1, 0x3FF0000000000000, 0xBFF0000000000000, 0x7FF0000000000000, 0xFFF8000000000000};
  const Words halves = {0, 0x8000, 1, 0x8001, 0x3C00, 0xBC00, 0x7C00, 0xFC00, 0x7E00, 0xFFFF};
  check_comparisons("f32", "f", kFloatOrder, singles, [](uint64_t x) { return bits_to<float>(x); });
  check_comparisons("ftz.f32", "f", kFloatOrder, singles, [](uint64_t x) {
    const float f = bits_to<float>(x);
    return std::fpclassify(f) == FP_SUBNORMAL ? 0.0f : f;
  });
  check_comparisons("f64", "g", kFloatOrder, doubles, [](uint64_t x) { return bits_to<double>(x); });
  check_comparisons("f16", "h", kFloatOrder, halves, half_value);
  check_comparisons("bf16", "h", kFloatOrder, halves, bfloat_value);
  check_comparisons("ftz.f16", "h", kFloatOrder, halves,
                    [](uint64_t x) { return (x & 0x7C00) == 0 ? 0.0f : half_value(x); });
}

TEST_CASE("comparisons of pairs, set, selp and slct", "[compare][ptx]") {
  auto less = [](uint64_t a, uint64_t b, int shift) {
    return half_value(a >> shift) < half_value(b >> shift);
  };
  check("setp.lt.and.f16x2 %p4|%p5, %r1, %r2, %p3; selp.b32 %r0, 1, 0, %p4; @%p5 add.s32 %r0, %r0, 2;", "r",
        [&](auto a, auto b, auto c) { return c & 1 ? less(a, b, 0) + 2 * less(a, b, 16) : 0; });
  check("set.lt.f16x2.f16x2 %r0, %r1, %r2;", "r", [&](auto a, auto b, auto) {
    return (less(a, b, 0) ? 0x3C00u : 0) | (less(a, b, 16) ? 0x3C000000u : 0);
  });
  check("set.ltu.u32.bf16x2 %r0, %r1, %r2;", "r", [](auto a, auto b, auto) {
    auto half = [&](int shift) { return !(bfloat_value(a >> shift) >= bfloat_value(b >> shift)); };
    return (half(0) ? 0xFFFFu : 0) | (half(16) ? 0xFFFF0000u : 0);
  });
  check("set.gt.u32.s32 %r0, %r1, %r2;", "r", [](auto a, auto b, auto) { return s32(a) > s32(b) ? ~0u : 0; });
  check("set.le.or.f32.u64 %f0, %d1, %d2, %p3;", "f",
        [](auto a, auto b, auto c) { return a <= b || (c & 1) != 0 ? 0x3F800000 : 0; });
  check("set.eq.f16.f16 %h0, %h1, %h2;", "h",
        [](auto a, auto b, auto) { return half_value(a) == half_value(b) ? 0x3C00 : 0; });
  check("selp.f64 %g0, %g1, %g2, %p3;", "g", [](auto a, auto b, auto c) { return c & 1 ? a : b; });
  check("selp.b16 %h0, %h1, 7, %p3;", "h", [](auto a, auto, auto c) { return c & 1 ? u16(a) : 7; });
  check("slct.u64.s32 %d0, %d1, %d2, %r3;", "d", [](auto a, auto b, auto c) { return s32(c) >= 0 ? a : b; });
  check("slct.ftz.b32.f32 %r0, %r1, %r2, %f3;", "r", [](auto a, auto b, auto c) {
    const float f = bits_to<float>(c);
    return u32(f >= 0 || std::fpclassify(f) == FP_SUBNORMAL ? a : b);
  });
}

}  // namespace
}  // namespace vgpu::test
