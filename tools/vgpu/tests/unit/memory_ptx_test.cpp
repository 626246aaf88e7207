// Memory instructions and built-in device functions as PTX text: what the lowering makes of operands and
// modifiers.
#include "core/builtins.h"
#include "tests/unit/catch.h"
#include "tests/unit/harness.h"
#include "tests/unit/memory_bench.h"

using namespace vgpu;
using namespace vgpu::test;

namespace {

// A kernel `k(out)` with %tid.x in %r0, out + 4 * tid in %rd0 and registers of every size.
std::string kernel(const std::string& body, const std::string& before = "") {
  return before + R"(
.visible .entry k(.param .u64 out, .param .align 8 .b8 more[32]) {
  .reg .pred %p<8>; .reg .b16 %h<16>; .reg .b32 %r<32>; .reg .f32 %f<16>; .reg .b64 %rd<32>; .reg .f64 %d<8>;
  .reg .b128 %q<4>;
  .local .align 8 .b8 frame[64];
  mov.u32 %r0, %tid.x;
  ld.param.u64 %rd1, [out];
  mul.wide.u32 %rd0, %r0, 4;
  add.u64 %rd0, %rd1, %rd0;
)" + body +
         "\n  ret;\n}\n";
}

struct Outcome {
  int error = 0;
  std::vector<uint32_t> out;
  std::string stdout_text, stderr_text;
};

Outcome run(const std::string& text, std::vector<uint32_t> initial = std::vector<uint32_t>(64),
            uint32_t threads = 32) {
  PtxProgram program(text);
  DeviceArray<uint32_t> out(initial);
  Outcome outcome;
  forget_findings();
  Captured standard_output(STDOUT_FILENO), standard_error(STDERR_FILENO);
  outcome.error = program.run("k", {1}, {threads}, {out.address()});
  outcome.stdout_text = standard_output.text();
  outcome.stderr_text = standard_error.text();
  outcome.out = out.values();
  return outcome;
}

std::string string_variable(const std::string& name, const std::string& text) {
  std::string list;
  for (char c : text) list += std::to_string(static_cast<int>(c)) + ", ";
  return ".global .align 1 .b8 " + name + "[" + std::to_string(text.size() + 1) + "] = {" + list + "0};\n";
}

const char* const kVprintf =
    ".extern .func (.param .b32 result) vprintf (.param .b64 format, .param .b64 list);\n";

}  // namespace

TEST_CASE("PTX: sign extension, narrow stores, vectors with sinks and literals") {
  const Outcome outcome = run(kernel(R"(
  st.global.v4.u32 [%rd1], {0xFFFFFF80, %r0, 0x12345678, 7};
  ld.global.s8 %r1, [%rd1];
  ld.global.u8 %r2, [%rd1];
  ld.volatile.global.s16 %h1, [%rd1+8];
  cvt.s32.s16 %r3, %h1;
  ld.global.v2.b32 {_, %r4}, [%rd1+8];
  ld.global.L1::no_allocate.L2::128B.s32 %rd5, [%rd1];
  cvt.u32.u64 %r5, %rd5;
  shr.u64 %rd6, %rd5, 32;
  cvt.u32.u64 %r6, %rd6;
  st.global.v4.b32 [%rd1+32], {%r1, %r2, %r3, %r4};
  st.global.v2.b32 [%rd1+48], {%r5, %r6};
  st.global.u8 [%rd1+56], %r5;
  st.global.u16 [%rd1+58], %rd5;
  ld.global.b128 %q1, [%rd1+32];
  st.global.b128 [%rd1+64], %q1;)"));
  CHECK(outcome.error == 0);
  const std::vector<uint32_t> expected = {
      0xFFFFFF80u, 31, 0x12345678u, 7,           0,           0, 0,           0,    0xFFFFFF80u, 0x80,
      0x5678,      7,  0xFFFFFF80u, 0xFFFFFFFFu, 0xFF800080u, 0, 0xFFFFFF80u, 0x80, 0x5678,      7};
  CHECK(std::vector<uint32_t>(outcome.out.begin(), outcome.out.begin() + 20) == expected);
}

TEST_CASE("PTX: shared, const and local variables, by name, by register and through generic addresses") {
  const Outcome outcome = run(kernel(R"(
  mov.u32 %r1, tile;
  shl.b32 %r2, %r0, 2;
  add.u32 %r1, %r1, %r2;
  st.shared.u32 [%r1], %r0;
  ld.shared.u32 %r3, [tile+20];
  mov.u64 %rd2, tile;
  cvta.shared.u64 %rd3, %rd2;
  ld.u32 %r4, [%rd3+24];
  cvta.to.shared.u64 %rd4, %rd3;
  ld.shared::cta.u32 %r5, [%rd4+28];
  mov.u64 %rd5, table;
  ld.const.u32 %r6, [%rd5+4];
  ld.const.u32 %r7, [table+8];
  cvta.const.u64 %rd6, %rd5;
  ld.u32 %r8, [%rd6];
  st.local.u32 [frame+8], %r0;
  mov.u64 %rd7, frame;
  ld.local.u32 %r9, [%rd7+8];
  cvta.local.u64 %rd8, %rd7;
  ld.u32 %r10, [%rd8+8];
  setp.ne.u32 %p6, %r0, 9;
  @%p6 ret;
  st.global.v4.u32 [%rd1], {%r3, %r4, %r5, %r6};
  st.global.v4.u32 [%rd1+16], {%r7, %r8, %r9, %r10};)",
                                     ".const .align 4 .u32 table[3] = {100, 200, 300};\n"
                                     ".shared .align 4 .b8 tile[128];\n"));
  CHECK(outcome.error == 0);
  const std::vector<uint32_t> expected = {5, 6, 7, 200, 300, 100, 9, 9};
  CHECK(std::vector<uint32_t>(outcome.out.begin(), outcome.out.begin() + 8) == expected);
}

TEST_CASE("PTX: isspacep, createpolicy, prefetch and fences") {
  const Outcome outcome = run(kernel(R"(
  mov.u64 %rd2, tile;
  cvta.shared.u64 %rd3, %rd2;
  mov.u64 %rd7, frame;
  cvta.local.u64 %rd8, %rd7;
  mov.u64 %rd6, table;
  cvta.param.u64 %rd9, more;
  isspacep.shared %p1, %rd3;
  isspacep.local %p2, %rd8;
  isspacep.global %p3, %rd1;
  isspacep.const %p4, %rd6;
  isspacep.global %p5, %rd8;
  isspacep.param %p6, %rd9;
  selp.u32 %r11, 1, 0, %p1;
  selp.u32 %r12, 2, 0, %p2;
  selp.u32 %r13, 4, 0, %p3;
  selp.u32 %r14, 8, 0, %p4;
  selp.u32 %r15, 16, 0, %p5;
  selp.u32 %r16, 32, 0, %p6;
  or.b32 %r11, %r11, %r12;
  or.b32 %r11, %r11, %r13;
  or.b32 %r11, %r11, %r14;
  or.b32 %r11, %r11, %r15;
  or.b32 %r11, %r11, %r16;
  createpolicy.fractional.L2::evict_last.b64 %rd10, 1.0;
  st.global.L2::cache_hint.u32 [%rd0], %r11, %rd10;
  prefetch.global.L2 [%rd0+1000000];
  membar.gl;
  fence.acq_rel.gpu;)",
                                     ".const .align 4 .u32 table[3] = {100, 200, 300};\n"
                                     ".shared .align 4 .b8 tile[128];\n"));
  CHECK(outcome.error == 0);
  CHECK(outcome.out[0] == 47);
  CHECK(outcome.out[31] == 47);
}

TEST_CASE("PTX: kernel parameters with computed offsets and through generic addresses") {
  const Outcome outcome = run(kernel(R"(
  mov.b64 %rd2, out;
  and.b32 %r1, %r0, 4;
  cvt.u64.u32 %rd3, %r1;
  add.u64 %rd4, %rd2, %rd3;
  ld.param.u32 %r2, [%rd4];
  ld.param.u32 %r3, [out+4];
  ld.param.u32 %r4, [out];
  setp.eq.u32 %p1, %r1, 0;
  selp.u32 %r5, %r4, %r3, %p1;
  sub.u32 %r6, %r2, %r5;
  cvta.param.u64 %rd5, out;
  ld.u64 %rd6, [%rd5];
  sub.u64 %rd7, %rd6, %rd1;
  cvt.u32.u64 %r7, %rd7;
  add.u32 %r6, %r6, %r7;
  st.global.u32 [%rd0], %r6;)"),
                              std::vector<uint32_t>(64, 9));
  CHECK(outcome.error == 0);
  CHECK(outcome.out == [] {
    std::vector<uint32_t> expected(64, 9);
    std::fill(expected.begin(), expected.begin() + 32, 0);
    return expected;
  }());
}

TEST_CASE("PTX: device functions: parameters, and local variables in their own frame") {
  const std::string callee = R"(
.func (.param .b32 result) pick(.param .align 4 .b8 list[16], .param .b32 which) {
  .local .align 4 .b8 frame2[16];
  .reg .b32 %r<8>; .reg .b64 %rd<4>;
  ld.param.v4.u32 {%r1, %r2, %r3, %r4}, [list];
  st.local.v2.u32 [frame2], {%r1, %r2};
  st.local.v2.u32 [frame2+8], {%r3, %r4};
  ld.param.u32 %r5, [which];
  mul.wide.u32 %rd1, %r5, 4;
  mov.u64 %rd2, frame2;
  add.u64 %rd1, %rd1, %rd2;
  ld.local.u32 %r6, [%rd1];
  st.param.b32 [result], %r6;
  ret;
}
)";
  const Outcome outcome = run(kernel(R"(
  st.local.u32 [frame], %r0;
  and.b32 %r1, %r0, 3;
  {
  .param .align 16 .b8 a[16]; .param .b32 b; .param .b32 c;
  st.param.v2.b32 [a], {%r0, 1000};
  st.param.b32 [a+8], 2000;
  st.param.b32 [a+12], %r1;
  st.param.b32 [b], %r1;
  call.uni (c), pick, (a, b);
  ld.param.b32 %r2, [c];
  }
  ld.local.u32 %r3, [frame];
  sub.u32 %r3, %r3, %r0;
  add.u32 %r2, %r2, %r3;
  st.global.u32 [%rd0], %r2;)",
                                     callee));
  CHECK(outcome.error == 0);
  for (uint32_t i = 0; i < 32; ++i) {
    const uint32_t expected[] = {i, 1000, 2000, 3};
    CHECK(outcome.out[i] == expected[i % 4]);
  }
}

TEST_CASE("PTX: atomics and reductions with scopes and vectors") {
  const Outcome outcome = run(kernel(R"(
  atom.global.add.u32 %r1, [%rd1], 1;
  st.global.u32 [%rd0+128], %r1;
  red.relaxed.gpu.global.add.f32 [%rd1+4], 0f3F000000;
  atom.acq_rel.cta.shared.max.s32 %r2, [cell], %r0;
  red.global.add.v2.f32 [%rd1+8], {0f3F800000, 0f40000000};
  mov.u32 %r3, 0x3C003C00;
  red.global.add.noftz.f16x2 [%rd1+16], %r3;
  atom.global.cas.b32 %r4, [%rd1+20], %r0, 77;
  atom.global.exch.b64 %rd5, [%rd1+24], %rd0;
  atom.global.inc.u32 _, [%rd1+32], 9;
  setp.ne.u32 %p1, %r0, 0;
  @%p1 ret;
  ld.shared.u32 %r6, [cell];
  st.global.u32 [%rd1+36], %r6;)",
                                     ".shared .align 4 .u32 cell;\n"));
  CHECK(outcome.error == 0);
  CHECK(outcome.out[0] == 32);
  CHECK(outcome.out[1] == 0x41800000u);
  CHECK(outcome.out[2] == 0x42000000u);
  CHECK(outcome.out[3] == 0x42800000u);
  CHECK(outcome.out[4] == 0x50005000u);
  CHECK(outcome.out[5] == 77);
  CHECK(outcome.out[8] == 2);
  CHECK(outcome.out[9] == 31);
  for (uint32_t i = 0; i < 32; ++i) CHECK(outcome.out[32 + i] == i);
}

TEST_CASE("PTX: faults name the place") {
  const Outcome outcome = run(kernel("  st.global.u32 [%rd0+132], %r0;"));
  CHECK(outcome.error == 700);
  CHECK(outcome.stderr_text.find("out-of-bounds global write of 4 bytes") != std::string::npos);
  CHECK(outcome.stderr_text.find("0 bytes past the end of the 256-byte allocation") != std::string::npos);
  CHECK(outcome.stderr_text.find("thread (31,0,0)") != std::string::npos);
  CHECK(outcome.stderr_text.find("st.global.u32 [%rd0+132], %r0`") != std::string::npos);
}

TEST_CASE("PTX: vprintf with every kind of argument") {
  const Outcome outcome = run(kernel(R"(
  setp.gt.u32 %p1, %r0, 1;
  @%p1 ret;
  cvta.local.u64 %rd2, frame;
  st.local.u32 [frame], %r0;
  st.local.f64 [frame+8], 0d3FF8000000000000;
  mov.u64 %rd3, text;
  st.local.u64 [frame+16], %rd3;
  st.local.u64 [frame+24], 0xFFFFFFFFFFFFFFF6;
  st.local.u32 [frame+32], 65;
  st.local.u32 [frame+36], 6;
  st.local.u32 [frame+40], 42;
  mov.u64 %rd4, format;
  { .param .b64 a; .param .b64 b; .param .b32 c;
  st.param.b64 [a], %rd4;
  st.param.b64 [b], %rd2;
  call.uni (c), vprintf, (a, b);
  ld.param.b32 %r5, [c]; }
  st.global.u32 [%rd0], %r5;)",
                                     string_variable("format", "%d %.3f [%5s] %lld %c|%*d|100%%\n") +
                                         string_variable("text", "abc") + kVprintf));
  CHECK(outcome.error == 0);
  CHECK(outcome.stdout_text == "0 1.500 [  abc] -10 A|    42|100%\n1 1.500 [  abc] -10 A|    42|100%\n");
  CHECK(outcome.out[0] == 6);
}

TEST_CASE("PTX: malloc and free in kernels, with a limit, and use after free") {
  const std::string declarations =
      ".extern .func (.param .b64 result) malloc (.param .b64 size);\n"
      ".extern .func free (.param .b64 address);\n";
  const std::string take = R"(
  { .param .b64 a; .param .b64 b;
  st.param.b64 [a], 1024;
  call.uni (b), malloc, (a);
  ld.param.b64 %rd2, [b]; }
)";
  const std::string give = "  { .param .b64 a; st.param.b64 [a], %rd2; call.uni free, (a); }\n";
  const std::string use =
      "  st.u32 [%rd2+1020], %r0;\n  ld.u32 %r1, [%rd2+1020];\n  st.global.u32 [%rd0], %r1;\n";
  const Outcome good = run(kernel(take + use + give, declarations));
  CHECK(good.error == 0);
  for (uint32_t i = 0; i < 32; ++i) CHECK(good.out[i] == i);
  const Outcome late = run(kernel(take + give + use, declarations));
  CHECK(late.error == 700);
  CHECK(late.stderr_text.find("use after free") != std::string::npos);
  const Outcome twice = run(kernel(take + give + give, declarations));
  CHECK(twice.error == 700);
  CHECK(twice.stderr_text.find("free of 0x") != std::string::npos);
  set_heap_limit(4096);
  const Outcome limited = run(kernel(take +
                                         "  setp.ne.u64 %p1, %rd2, 0;\n  selp.u32 %r1, 1, 0, %p1;\n"
                                         "  st.global.u32 [%rd0], %r1;\n" +
                                         give,
                                     declarations));
  set_heap_limit(8 << 20);
  CHECK(limited.error == 0);
  CHECK(std::count(limited.out.begin(), limited.out.begin() + 32, 1u) == 4);
}

TEST_CASE("PTX: assert") {
  const Outcome outcome =
      run(kernel(R"(
  setp.ne.u32 %p1, %r0, 3;
  @%p1 ret;
  { .param .b64 a; .param .b64 b; .param .b32 c; .param .b64 d; .param .b64 e;
  mov.u64 %rd2, expression; mov.u64 %rd3, file; mov.u64 %rd4, name;
  st.param.b64 [a], %rd2;
  st.param.b64 [b], %rd3;
  st.param.b32 [c], 12;
  st.param.b64 [d], %rd4;
  st.param.b64 [e], 1;
  call.uni __assertfail, (a, b, c, d, e); })",
                 string_variable("expression", "n > 0") + string_variable("file", "a.cu") +
                     string_variable("name", "void k(int)") +
                     ".extern .func __assertfail (.param .b64 a, .param .b64 b, .param .b32 c, "
                     ".param .b64 d, .param .b64 e);\n"));
  CHECK(outcome.error == 710);
  CHECK(outcome.stderr_text.find(
            "a.cu:12: void k(int): block: [0,0,0], thread: [3,0,0] Assertion `n > 0` failed.") !=
        std::string::npos);
}
