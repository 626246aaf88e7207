// Every form of the floating-point instructions as PTX text: that each finds its handler and its operands.
//
// All operands are 1.5, -2 and 0.25 in their type, so that one look tells the expected result.
#include <string>

#include "tests/unit/catch.h"
#include "tests/unit/harness.h"

namespace vgpu::test {
namespace {

struct Form {
  const char* text;  // the destination is register 0 of its kind
  uint64_t expected;
};

// Kinds of registers: f f32, d f64, h f16, e bf16, x f16x2, y bf16x2, w f32x2.
const Form kForms[] = {
    {"add.f32 %f0, %f1, %f2", 0xBF000000},
    {"add.rn.f32 %f0, %f1, 0f3F800000", 0x40200000},
    {"add.rz.ftz.f32 %f0, %f1, %f3", 0x3FE00000},
    {"add.sat.f32 %f0, %f1, %f3", 0x3F800000},
    {"sub.rp.f32 %f0, %f1, %f2", 0x40600000},
    {"mul.f32 %f0, %f1, %f2", 0xC0400000},
    {"mul.rm.ftz.sat.f32 %f0, %f1, %f2", 0},
    {"fma.rn.f32 %f0, %f1, %f2, %f3", 0xC0300000},
    {"fma.rz.ftz.sat.f32 %f0, %f1, %f1, %f3", 0x3F800000},
    {"mad.rn.f32 %f0, %f1, %f2, %f3", 0xC0300000},
    {"div.rn.f32 %f0, %f1, %f2", 0xBF400000},
    {"div.rp.ftz.f32 %f0, %f1, %f2", 0xBF400000},
    {"div.approx.f32 %f0, %f1, %f2", 0xBF400000},
    {"div.approx.ftz.f32 %f0, %f1, %f2", 0xBF400000},
    {"div.full.f32 %f0, %f1, %f2", 0xBF400000},
    {"div.full.ftz.f32 %f0, %f1, %f2", 0xBF400000},
    {"rcp.rn.f32 %f0, %f2", 0xBF000000},
    {"rcp.approx.ftz.f32 %f0, %f3", 0x40800000},
    {"rcp.approx.f32 %f0, %f3", 0x40800000},
    {"sqrt.rn.f32 %f0, %f3", 0x3F000000},
    {"sqrt.rm.ftz.f32 %f0, %f3", 0x3F000000},
    {"sqrt.approx.f32 %f0, %f3", 0x3F000000},
    {"sqrt.approx.ftz.f32 %f0, %f2", 0x7FFFFFFF},
    {"rsqrt.approx.f32 %f0, %f3", 0x40000000},
    {"rsqrt.approx.ftz.f32 %f0, %f3", 0x40000000},
    {"min.f32 %f0, %f1, %f2", 0xC0000000},
    {"max.ftz.f32 %f0, %f1, %f2", 0x3FC00000},
    {"max.NaN.f32 %f0, %f1, 0f7F800001", 0x7FFFFFFF},
    {"max.f32 %f0, %f1, 0f7F800001", 0x3FC00000},
    {"min.ftz.NaN.xorsign.abs.f32 %f0, %f1, %f2", 0xBFC00000},
    {"max.xorsign.abs.f32 %f0, %f1, %f2", 0xC0000000},
    {"min.f32 %f0, %f1, %f2, %f3", 0xC0000000},
    {"max.abs.f32 %f0, %f1, %f2, %f3", 0x40000000},
    {"abs.f32 %f0, %f2", 0x40000000},
    {"abs.ftz.f32 %f0, %f2", 0x40000000},
    {"neg.f32 %f0, %f2", 0x40000000},
    {"neg.ftz.f32 %f0, %f1", 0xBFC00000},
    {"copysign.f32 %f0, %f2, %f1", 0xBFC00000},
    {"ex2.approx.f32 %f0, %f2", 0x3E800000},
    {"ex2.approx.ftz.f32 %f0, %f2", 0x3E800000},
    {"lg2.approx.f32 %f0, %f3", 0xC0000000},
    {"lg2.approx.ftz.f32 %f0, %f3", 0xC0000000},
    {"sin.approx.f32 %f0, 0f00000000", 0},
    {"sin.approx.ftz.f32 %f0, 0f00000000", 0},
    {"cos.approx.f32 %f0, 0f00000000", 0x3F800000},
    {"cos.approx.ftz.f32 %f0, 0f00000000", 0x3F800000},
    {"tanh.approx.f32 %f0, 0f7F800000", 0x3F800000},
    {"add.f64 %d0, %d1, %d2", 0xBFE0000000000000},
    {"sub.rm.f64 %d0, %d1, %d2", 0x400C000000000000},
    {"mul.rn.f64 %d0, %d1, %d2", 0xC008000000000000},
    {"fma.rn.f64 %d0, %d1, %d2, %d3", 0xC006000000000000},
    {"mad.rz.f64 %d0, %d1, %d2, %d3", 0xC006000000000000},
    {"div.rn.f64 %d0, %d1, %d2", 0xBFE8000000000000},
    {"rcp.rn.f64 %d0, %d2", 0xBFE0000000000000},
    {"rcp.approx.ftz.f64 %d0, %d3", 0x4010000000000000},
    {"sqrt.rn.f64 %d0, %d3", 0x3FE0000000000000},
    {"rsqrt.approx.f64 %d0, %d3", 0x4000000000000000},
    {"rsqrt.approx.ftz.f64 %d0, %d3", 0x4000000000000000},
    {"min.f64 %d0, %d1, %d2", 0xC000000000000000},
    {"max.f64 %d0, %d1, %d2", 0x3FF8000000000000},
    {"abs.f64 %d0, %d2", 0x4000000000000000},
    {"neg.f64 %d0, %d2", 0x4000000000000000},
    {"copysign.f64 %d0, %d2, %d1", 0xBFF8000000000000},
    {"add.f16 %h0, %h1, %h2", 0xB800},
    {"add.rn.ftz.sat.f16 %h0, %h1, %h1", 0x3C00},
    {"sub.f16 %h0, %h1, %h2", 0x4300},
    {"mul.rn.f16 %h0, %h1, %h2", 0xC200},
    {"fma.rn.f16 %h0, %h1, %h2, %h3", 0xC180},
    {"fma.rn.ftz.relu.f16 %h0, %h1, %h2, %h3", 0},
    {"fma.rn.sat.f16 %h0, %h1, %h1, %h3", 0x3C00},
    {"neg.f16 %h0, %h1", 0xBE00},
    {"abs.f16 %h0, %h2", 0x4000},
    {"min.f16 %h0, %h1, %h2", 0xC000},
    {"max.ftz.NaN.f16 %h0, %h1, %h2", 0x3E00},
    {"min.NaN.xorsign.abs.f16 %h0, %h1, %h2", 0xBE00},
    {"ex2.approx.f16 %h0, %h2", 0x3400},
    {"tanh.approx.f16 %h0, %h1", 0x3B3E},
    {"add.f16x2 %x0, %x1, %x2", 0xB800B800},
    {"sub.ftz.f16x2 %x0, %x1, %x2", 0x43004300},
    {"mul.f16x2 %x0, %x1, %x2", 0xC200C200},
    {"fma.rn.f16x2 %x0, %x1, %x2, %x3", 0xC180C180},
    {"fma.rn.relu.f16x2 %x0, %x1, %x2, %x3", 0},
    {"neg.ftz.f16x2 %x0, %x1", 0xBE00BE00},
    {"abs.f16x2 %x0, %x2", 0x40004000},
    {"max.f16x2 %x0, %x1, %x2", 0x3E003E00},
    {"min.xorsign.abs.f16x2 %x0, %x1, %x2", 0xBE00BE00},
    {"ex2.approx.f16x2 %x0, %x2", 0x34003400},
    {"tanh.approx.f16x2 %x0, %x1", 0x3B3E3B3E},
    {"add.bf16 %e0, %e1, %e2", 0xBF00},
    {"sub.rn.bf16 %e0, %e1, %e2", 0x4060},
    {"mul.bf16 %e0, %e1, %e2", 0xC040},
    {"fma.rn.bf16 %e0, %e1, %e2, %e3", 0xC030},
    {"fma.rn.relu.bf16 %e0, %e1, %e2, %e3", 0},
    {"neg.bf16 %e0, %e1", 0xBFC0},
    {"abs.bf16 %e0, %e2", 0x4000},
    {"min.bf16 %e0, %e1, %e2", 0xC000},
    {"max.NaN.xorsign.abs.bf16 %e0, %e1, %e2", 0xC000},
    {"ex2.approx.ftz.bf16 %e0, %e2", 0x3E80},
    {"tanh.approx.bf16 %e0, %e1", 0x3F68},
    {"add.bf16x2 %y0, %y1, %y2", 0xBF00BF00},
    {"sub.bf16x2 %y0, %y1, %y2", 0x40604060},
    {"mul.bf16x2 %y0, %y1, %y2", 0xC040C040},
    {"fma.rn.bf16x2 %y0, %y1, %y2, %y3", 0xC030C030},
    {"neg.bf16x2 %y0, %y1", 0xBFC0BFC0},
    {"abs.bf16x2 %y0, %y2", 0x40004000},
    {"max.NaN.bf16x2 %y0, %y1, %y2", 0x3FC03FC0},
    {"ex2.approx.ftz.bf16x2 %y0, %y2", 0x3E803E80},
    {"tanh.approx.bf16x2 %y0, %y1", 0x3F683F68},
    {"add.rn.f32x2 %w0, %w1, %w2", 0xBF000000BF000000},
    {"sub.rz.f32x2 %w0, %w1, %w2", 0x4060000040600000},
    {"mul.rn.ftz.f32x2 %w0, %w1, %w2", 0xC0400000C0400000},
    {"fma.rn.f32x2 %w0, %w1, %w2, %w3", 0xC0300000C0300000},
    {"add.f32.f16 %f0, %h1, %f2", 0xBF000000},
    {"sub.rz.f32.bf16 %f0, %e1, %f2", 0x40600000},
    {"fma.rn.f32.f16 %f0, %h1, %h2, %f3", 0xC0300000},
    {"fma.rz.sat.f32.bf16 %f0, %e1, %e1, %f3", 0x3F800000},
};

std::string kernel() {
  std::string text =
      ".visible .entry forms(.param .u64 out)\n{\n .reg .b64 %a;\n .reg .f32 %f<4>;\n .reg .f64 %d<4>;\n"
      " .reg .b16 %h<4>;\n .reg .b16 %e<4>;\n .reg .b32 %x<4>;\n .reg .b32 %y<4>;\n .reg .b64 %w<4>;\n"
      " ld.param.u64 %a, [out];\n";
  const char* values[][3] = {{"0f3FC00000", "0fC0000000", "0f3E800000"},
                             {"0d3FF8000000000000", "0dC000000000000000", "0d3FD0000000000000"},
                             {"0x3E00", "0xC000", "0x3400"},
                             {"0x3FC0", "0xC000", "0x3E80"},
                             {"0x3E003E00", "0xC000C000", "0x34003400"},
                             {"0x3FC03FC0", "0xC000C000", "0x3E803E80"},
                             {"0x3FC000003FC00000", "0xC0000000C0000000", "0x3E8000003E800000"}};
  const std::string kinds = "fdhexyw";
  const char* types[] = {"f32", "f64", "b16", "b16", "b32", "b32", "b64"};
  for (size_t k = 0; k < kinds.size(); ++k)
    for (int n = 0; n < 3; ++n)
      text += std::string(" mov.") + types[k] + " %" + kinds[k] + std::to_string(n + 1) + ", " +
              values[k][n] + ";\n";
  size_t index = 0;
  for (const Form& form : kForms) {
    const std::string statement = form.text;
    const char kind = statement[statement.find('%') + 1];
    text += " " + statement + ";\n st.global." + types[kinds.find(kind)] + " [%a+" +
            std::to_string(8 * index++) + "], %" + kind + "0;\n";
  }
  return text + " ret;\n}\n";
}

TEST_CASE("every floating-point form runs", "[float][ptx]") {
  PtxProgram program(kernel(), "sm_100");
  DeviceArray<uint64_t> out(std::size(kForms));
  REQUIRE(program.run("forms", {1}, {1}, {out.address()}) == 0);
  for (size_t n = 0; n < std::size(kForms); ++n) {
    INFO(kForms[n].text);
    CHECK(out[n] == kForms[n].expected);
  }
}

TEST_CASE("opcodes shared with integers still reach them", "[float][ptx]") {
  PtxProgram program(R"(
.visible .entry k(.param .u64 out)
{
 .reg .b64 %a; .reg .b32 %r<4>; .reg .pred %p;
 ld.param.u64 %a, [out];
 mov.u32 %r0, 7;
 add.s32 %r1, %r0, -9;
 abs.s32 %r2, %r1;
 st.global.u32 [%a], %r2;
 mad.lo.s32 %r1, %r0, %r0, %r1;
 st.global.u32 [%a+4], %r1;
 testp.notanumber.f32 %p, 0f7FC00000;
 selp.u32 %r3, 1, 0, %p;
 st.global.u32 [%a+8], %r3;
 testp.subnormal.f64 %p, 0d0000000000000001;
 selp.u32 %r3, 1, 0, %p;
 st.global.u32 [%a+12], %r3;
 ret;
})");
  DeviceArray<uint32_t> out(4);
  REQUIRE(program.run("k", {1}, {1}, {out.address()}) == 0);
  CHECK(out.values() == std::vector<uint32_t>{2, 47, 1, 1});
}

}  // namespace
}  // namespace vgpu::test
