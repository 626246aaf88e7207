// One warp runs a line or two of PTX on three 64-bit words a lane: for integer, move and conversion
// instructions.
//
// The lines find the words as %d1-%d3, their low parts as %r1-%r3 (.b32), %h1-%h3 (.b16), the same bits as
// %f1-%f3
// (.f32) and %g1-%g3 (.f64), "is odd" as %p1-%p3, and leave the result in one of %d0, %r0, %h0, %f0, %g0,
// %p0. There are scratch registers up to number 9 of each kind, and %q0-%q3 of .b128.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "tests/unit/catch.h"
#include "tests/unit/harness.h"

namespace vgpu::test {

using Words = std::vector<uint64_t>;  // a multiple of 32

// An f16's value from its fields, and the nearest f16 to a float.
inline float half_value(uint64_t bits) {
  const int exponent = static_cast<int>(bits >> 10 & 31), mantissa = static_cast<int>(bits & 0x3FF);
  float magnitude =
      std::ldexp(static_cast<float>(mantissa + (exponent != 0 ? 1024 : 0)), std::max(exponent, 1) - 25);
  if (exponent == 31) magnitude = mantissa != 0 ? std::nanf("") : INFINITY;
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}
inline uint32_t half_bits(float x) {
  if (x != x) return 0x7FFF;
  const uint32_t sign = std::signbit(x) ? 0x8000 : 0;
  const float magnitude = std::fabs(x);
  if (magnitude >= 65520) return sign | 0x7C00;
  const int exponent = magnitude < 0x1p-14f ? -14 : std::ilogb(magnitude);
  const int units = static_cast<int>(std::nearbyint(std::ldexp(magnitude, 10 - exponent)));
  return sign |
         static_cast<uint32_t>(units + (exponent + 14) * 1024);  // a carry reaches the exponent by itself
}

inline std::string word_kernel_text(const std::string& lines, const std::string& result) {
  std::string t =
      ".visible .entry k(.param .u64 from, .param .u64 to, .param .u32 size)\n{\n"
      ".reg .b64 %d<10>, %at, %out, %place, %step;\n.reg .b32 %r<10>, %thread, %bytes;\n.reg .b16 %h<10>;\n"
      ".reg .f32 %f<10>;\n.reg .f64 %g<10>;\n.reg .pred %p<10>;\n.reg .b128 %q<4>;\n"
      "ld.param.u64 %at, [from];\nld.param.u64 %out, [to];\nld.param.u32 %bytes, [size];\n"
      "mov.u32 %thread, %tid.x;\nmul.wide.u32 %place, %thread, 8;\ncvt.u64.u32 %step, %bytes;\n"
      "add.s64 %at, %at, %place;\nadd.s64 %out, %out, %place;\n";
  for (const char* n : {"1", "2", "3"}) {
    const std::string i = n;
    t += "ld.global.b64 %d" + i + ", [%at];\nadd.s64 %at, %at, %step;\ncvt.u32.u64 %r" + i + ", %d" + i +
         ";\n";
    t += "cvt.u16.u64 %h" + i + ", %d" + i + ";\nmov.b32 %f" + i + ", %r" + i + ";\nmov.b64 %g" + i + ", %d" +
         i + ";\n";
    t += "and.b64 %d9, %d" + i + ", 1;\nsetp.ne.s64 %p" + i + ", %d9, 0;\n";
  }
  t += lines + "\n";
  if (result == "r") t += "cvt.u64.u32 %d0, %r0;\n";
  if (result == "h") t += "cvt.u64.u16 %d0, %h0;\n";
  if (result == "f") t += "mov.b32 %r0, %f0;\ncvt.u64.u32 %d0, %r0;\n";
  if (result == "g") t += "mov.b64 %d0, %g0;\n";
  if (result == "p") t += "selp.b64 %d0, 1, 0, %p0;\n";
  return t + "st.global.b64 [%out], %d0;\nret;\n}\n";
}

// Runs the lines for every a[i], b[i], c[i]; `result` is the letter of the register that holds it.
inline Words run_words(const std::string& lines, const std::string& result, const Words& a, const Words& b,
                       const Words& c) {
  INFO(lines);
  PtxProgram program(word_kernel_text(lines, result));
  DeviceArray<uint64_t> from(3 * a.size()), to(a.size());
  for (size_t i = 0; i < a.size(); ++i) {
    from[i] = a[i];
    from[a.size() + i] = b[i];
    from[2 * a.size() + i] = c[i];
  }
  const uint32_t threads = static_cast<uint32_t>(a.size());
  REQUIRE(program.run("k", {1}, {threads}, {from.address(), to.address(), 8ull * threads}) == 0);
  return to.values();
}

// The same, compared with reference(a, b, c).
template <class Reference>
void check_words(const std::string& lines, const std::string& result, const Words& a, const Words& b,
                 const Words& c, Reference reference) {
  const Words got = run_words(lines, result, a, b, c);
  for (size_t i = 0; i < a.size(); ++i) {
    const uint64_t expected = static_cast<uint64_t>(reference(a[i], b[i], c[i]));
    if (got[i] == expected) continue;
    FAIL(std::hex << lines << " for " << a[i] << ", " << b[i] << ", " << c[i] << ": got " << got[i]
                  << ", want " << expected);
  }
  SUCCEED(lines);
}

}  // namespace vgpu::test
