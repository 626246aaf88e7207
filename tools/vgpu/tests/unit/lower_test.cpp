// Lowering: where variables, parameters and registers lie, what becomes of labels, and programs that show it.
#include <cstring>
#include <string>

#include "core/lowering_impl.h"
#include "core/special.h"
#include "tests/unit/catch.h"
#include "tests/unit/harness.h"

using namespace vgpu;
using namespace vgpu::test;

namespace {

std::unique_ptr<Program> lowered(const std::string& text) {
  return lower(ptx::parse(".version 9.0\n.target sm_80\n.address_size 64\n" + text));
}

const FunctionCode& function_of(const std::unique_ptr<Program>& program, std::string_view name) {
  return *program->function_by_name.at(name);
}

uint64_t address_of(const std::unique_ptr<Program>& program, std::string_view name) {
  return program->address_of.at(program->variable_by_name.at(name));
}

template <class T>
T value_at(uint64_t address) {
  T value;
  std::memcpy(&value, reinterpret_cast<const void*>(address), sizeof value);
  return value;
}

uint64_t bits_of_constant(const Program& program, Ref ref) {
  return value_at<uint64_t>(reinterpret_cast<uint64_t>(program.constants.data()) + ref - 1);
}

// Stores %rN of a kernel with the given body, for every thread of one block.
std::vector<uint32_t> result_of(const std::string& before, const std::string& body, uint32_t threads = 32,
                                uint32_t dynamic_shared = 0) {
  PtxProgram program(
      before +
      ".visible .entry k(.param .u64 out, .param .u32 extra)\n{\n.reg .pred %p<10>;\n.reg .b16 %h<10>;\n"
      ".reg .b32 %r<40>;\n.reg .b64 %rd<40>;\n.reg .f32 %f<10>;\n" +
      body +
      "\nld.param.u64 %rd30, [out];\nmov.u32 %r30, %tid.x;\nmul.wide.u32 %rd31, %r30, 4;\n"
      "add.s64 %rd30, %rd30, %rd31;\nst.global.u32 [%rd30], %r0;\nret;\n}\n");
  DeviceArray<uint32_t> out(threads);
  REQUIRE(program.run("k", {1}, {threads}, {out.address(), 77}, dynamic_shared) == 0);
  return out.values();
}

}  // namespace

TEST_CASE("kernel parameters lie as the ABI says") {
  const auto program = lowered(
      ".entry k(.param .u8 a, .param .u64 .ptr .align 1 b, .param .align 4 .b8 c[6], .param .u16 d, .param "
      ".align 16 "
      ".b8 e[3])\n{ ret; }");
  const FunctionCode& k = function_of(program, "k");
  CHECK(k.param_offsets == std::vector<uint32_t>{0, 8, 16, 22, 32});
  CHECK(k.param_bytes == 35);
  CHECK(k.window_bytes % 64 == 0);
  CHECK(k.end_pc > k.entry_pc);
}

TEST_CASE("variables are initialised, other symbols' addresses included") {
  const auto program = lowered(
      ".func f() { ret; }\n.func g() { ret; }\n.global .u64 first[4] = {later, generic(later)+4, g, first};\n"
      ".global .align 4 .u32 later[2] = {5, 6};\n.const .align 4 .f32 pi = 0f40490FDB;\n.global .b8 "
      "zero[100];\n"
      ".global .u8 bytes[2] = {0xFF(later), 0xFF00(later)};\n.extern .global .u32 elsewhere;");
  const uint64_t later = address_of(program, "later"), first = address_of(program, "first");
  CHECK(value_at<uint64_t>(first) == later);
  CHECK(value_at<uint64_t>(first + 8) == later + 4);
  CHECK(value_at<uint64_t>(first + 16) == program->function_address("g"));
  CHECK(program->function_at(value_at<uint64_t>(first + 16)) == &function_of(program, "g"));
  CHECK(program->function_at(0) == nullptr);
  CHECK(program->function_at(later) == nullptr);
  CHECK(value_at<uint64_t>(first + 24) == first);
  CHECK(value_at<uint32_t>(later + 4) == 6);
  CHECK(value_at<uint32_t>(address_of(program, "pi")) == 0x40490FDB);
  CHECK(value_at<uint8_t>(address_of(program, "bytes")) == (later & 0xFF));
  CHECK(value_at<uint8_t>(address_of(program, "bytes") + 1) == (later >> 8 & 0xFF));
  DeviceMemory& memory = DeviceMemory::instance();
  CHECK(memory.find(address_of(program, "pi"))->read_only);
  CHECK_FALSE(memory.find(later)->read_only);
  CHECK(memory.find(later)->name == "later");
  CHECK(memory.find(address_of(program, "zero"))->end - address_of(program, "zero") == 100);
  CHECK(program->address_of.count(program->variable_by_name.at("elsewhere")) == 0);
}

TEST_CASE("shared memory: one offset in every kernel that reaches a variable") {
  const auto program = lowered(
      ".shared .align 4 .b8 both[8];\n.extern .shared .align 16 .b8 dyn[];\n"
      ".func f() { .reg .b32 %r<2>; .shared .align 4 .b8 of_f[40]; mov.u32 %r1, of_f; mov.u32 %r1, dyn; ret; "
      "}\n"
      ".entry a() { .reg .b32 %r<2>; .shared .align 4 .b8 own[100]; mov.u32 %r1, own; mov.u32 %r1, both; "
      "call f; ret; }\n"
      ".entry b() { .reg .b32 %r<2>; .shared .align 8 .b8 own[4]; mov.u32 %r1, own; mov.u32 %r1, both; ret; "
      "}\n"
      ".entry c() { ret; }\n"
      ".entry d() { .reg .b32 %r<2>; mov.u32 %r1, %reserved_smem_offset_1; ret; }\n");
  CHECK(function_of(program, "a").shared_bytes == 148);
  CHECK(function_of(program, "a").dynamic_shared_offset == 160);
  CHECK(function_of(program, "b").shared_bytes == 12);
  CHECK(function_of(program, "c").shared_bytes == 0);
  CHECK(function_of(program, "d").shared_bytes == kReservedShared);
  CHECK(function_of(program, "f").shared_bytes == 0);
}

TEST_CASE("constants are kept once and at the start of a cache line") {
  const auto program = lowered(
      ".entry k() { .reg .b32 %r<4>; mov.u32 %r1, 7; mov.u32 %r2, 7; mov.u32 %r3, 8; st.global.u32 [0], %r1; "
      "ret; }");
  CHECK(program->constants.size() == 2 * 128);
  CHECK(reinterpret_cast<uintptr_t>(program->constants.data()) % 64 == 0);
  ConstantPool pool(*program);
  const Ref wide = pool.value(0x1'0000'0007ull, 8);
  CHECK(wide % 2 == 1);
  CHECK((wide - 1) % 64 == 0);
  CHECK(bits_of_constant(*program, wide) == 0x1'0000'0007ull);
  CHECK(pool.value(0x1'0000'0007ull, 8) == wide);
  CHECK(pool.value(0x1'0000'0007ull, 4) == pool.value(7, 4));
  CHECK(pool.mask(7) != pool.value(7, 4));
}

TEST_CASE("device functions find their parameters in areas of their window") {
  const auto program = lowered(
      ".func (.param .b32 r) f(.param .align 16 .b8 a[40], .param .b64 b) { .local .align 8 .b8 x[20]; ret; "
      "}\n"
      ".entry k() { .local .align 16 .b8 y[8]; ret; }");
  const FunctionCode& f = function_of(program, "f");
  REQUIRE(f.params.size() == 2);
  REQUIRE(f.returns.size() == 1);
  CHECK(f.params[0].stride == 48);
  CHECK(f.params[1].stride == 16);
  CHECK(f.params[1].area - f.params[0].area == 48 * 32);
  CHECK(f.returns[0].area + 16 * 32 <= f.window_bytes);
  CHECK(f.local_bytes == 32);
  CHECK(function_of(program, "k").local_bytes == 16);
}

TEST_CASE("many calls do not make a window large") {
  std::string body;
  for (int i = 0; i < 50; ++i)
    body +=
        "{ .param .b32 a; .param .b32 r; st.param.b32 [a], %r1; call (r), f, (a); ld.param.b32 %r1, [r]; }\n";
  const auto program = lowered(
      ".func (.param .b32 r) f(.param .b32 a) { ret; }\n.entry k() { .reg .b32 %r<2>;\n" + body + "ret; }");
  CHECK(function_of(program, "k").window_bytes <= 2 * 512 + 128 + 64);
}

TEST_CASE("what no rule knows faults when it is executed, and only then") {
  PtxProgram program(
      ".entry bad() { .reg .b32 %r<3>; frobnicate.b32 %r1, %r2; ret; }\n"
      ".entry skipped() { .reg .pred %p<2>; .reg .b32 %r<3>; setp.ne.u32 %p1, 0, 0; @%p1 frobnicate.b32 %r1, "
      "%r2; ret; }\n"
      ".extern .global .u32 elsewhere;\n.entry undefined() { .reg .b32 %r<2>; ld.global.u32 %r1, "
      "[elsewhere]; ret; }\n");
  CHECK(program.run("skipped", {1}, {32}, {}) == 0);
  CHECK(program.run("bad", {1}, {32}, {}) == 715);
  CHECK(program.run("undefined", {1}, {32}, {}) == 715);
}

TEST_CASE("labels become pcs, in loops, tables and scopes") {
  const auto loop =
      result_of("",
                "mov.u32 %r0, 0;\nmov.u32 %r1, %tid.x;\nLOOP:\nsetp.eq.u32 %p1, %r1, 0;\n@%p1 bra END;\n"
                "add.u32 %r0, %r0, %r1;\nsub.u32 %r1, %r1, 1;\nbra LOOP;\nEND:");
  for (uint32_t i = 0; i < 32; ++i) CHECK(loop[i] == i * (i + 1) / 2);

  const auto table =
      result_of("",
                "T: .branchtargets A, B, C;\nmov.u32 %r1, %tid.x;\nrem.u32 %r1, %r1, 3;\nbrx.idx %r1, T;\n"
                "A: mov.u32 %r0, 10; bra E;\nB: mov.u32 %r0, 20; bra E;\nC: mov.u32 %r0, 30;\nE:");
  for (uint32_t i = 0; i < 32; ++i) CHECK(table[i] == 10 * (i % 3 + 1));
}

TEST_CASE("special registers") {
  PtxProgram program(
      ".entry k(.param .u64 out, .param .u32 what)\n{\n.reg .b32 %r<20>;\n.reg .b64 %rd<4>;\nmov.u32 %r1, "
      "%tid.x;\n"
      "mov.u32 %r2, %tid.y;\nmov.u32 %r3, %tid.z;\nshl.b32 %r2, %r2, 8;\nshl.b32 %r3, %r3, 16;\nor.b32 %r1, "
      "%r1, %r2;\n"
      "or.b32 %r1, %r1, %r3;\nmov.u32 %r4, %warpid;\nmov.u32 %r5, %laneid;\nmad.lo.u32 %r6, %r4, WARP_SZ, "
      "%r5;\n"
      "ld.param.u64 %rd1, [out];\nmul.wide.u32 %rd2, %r6, 4;\nadd.s64 %rd1, %rd1, %rd2;\nst.global.u32 "
      "[%rd1], %r1;\n"
      "ret;\n}\n");
  DeviceArray<uint32_t> out(5 * 3 * 7);
  REQUIRE(program.run("k", {1}, {5, 3, 7}, {out.address(), 0}) == 0);
  for (uint32_t i = 0; i < 105; ++i) CHECK(out[i] == (i % 5 | i / 5 % 3 << 8 | i / 15 << 16));

  const auto mask =
      result_of("",
                "mov.u32 %r1, %lanemask_lt; mov.u32 %r2, %lanemask_ge; mov.u32 %r3, %lanemask_eq;\n"
                "add.u32 %r1, %r1, %r2; and.b32 %r2, %r2, %r3; sub.u32 %r2, %r2, %r3; or.b32 %r0, %r1, %r2;");
  for (uint32_t value : mask) CHECK(value == 0xFFFFFFFFu);
  const auto sizes =
      result_of("", "mov.u32 %r1, %ntid.x; mov.u32 %r2, %nctaid.x; mad.lo.u32 %r0, %r1, 100, %r2;", 40);
  CHECK(sizes[39] == 4001);
}

TEST_CASE("operands: negated predicates, guards that change, narrow registers, literals") {
  const auto negated =
      result_of("", "mov.u32 %r1, %tid.x; setp.lt.u32 %p1, %r1, 5; selp.u32 %r0, 1, 2, !%p1;");
  CHECK(negated[4] == 2);
  CHECK(negated[5] == 1);
  const auto guard = result_of("",
                               "mov.u32 %r1, %tid.x; setp.lt.u32 %p1, %r1, 20; setp.lt.u32 %p2, %r1, 10;\n"
                               "@%p1 setp.gt.and.u32 %p1, %r1, 4, %p2;\nselp.u32 %r0, 1, 0, %p1;");
  for (uint32_t i = 0; i < 32; ++i) CHECK(guard[i] == (i > 4 && i < 10 ? 1u : 0u));
  const auto narrow = result_of("", "mov.u32 %r1, 0x12F4; cvt.s32.s8 %r0, %r1;");
  CHECK(narrow[0] == 0xFFFFFFF4u);
  const auto decimal = result_of("", "mov.f32 %f1, 1.5; add.f32 %f1, %f1, 0f40000000; mov.b32 %r0, %f1;");
  CHECK(decimal[0] == 0x40600000u);
}

TEST_CASE("addresses: const, shared, dynamic shared of a device function, local, parameters") {
  CHECK(result_of(".const .u32 c[2] = {3, 4};\n", "ld.const.u32 %r0, [c+4];")[0] == 4);
  CHECK(result_of("", "mov.b64 %rd1, extra; ld.param.u32 %r0, [%rd1];")[0] == 77);
  CHECK(result_of("", "mov.b64 %rd1, extra; cvta.param.u64 %rd1, %rd1; ld.u32 %r0, [%rd1];")[0] == 77);
  const std::string shared =
      ".extern .shared .align 16 .b8 dyn[];\n.func (.param .b32 r) f(.param .b32 a) { .reg .b32 %r<4>; .reg "
      ".b64 %rd<2>;\n"
      "ld.param.u32 %r1, [a]; mov.u32 %r2, dyn; add.u32 %r2, %r2, %r1; ld.shared.u32 %r3, [%r2];\n"
      "mov.u64 %rd1, dyn; ld.shared.u32 %r1, [%rd1]; ld.shared.u32 %r2, [dyn+8]; add.u32 %r3, %r3, %r1;\n"
      "add.u32 %r3, %r3, %r2; st.param.b32 [r], %r3; ret; }\n";
  const std::string body =
      ".shared .u32 own[5]; mov.u32 %r1, 1; st.shared.u32 [own], %r1; st.shared.u32 [dyn], 100; "
      "st.shared.u32 [dyn+4], 20;\n"
      "st.shared.u32 [dyn+8], 3; bar.sync 0; { .param .b32 a; .param .b32 r; st.param.b32 [a], 4; call (r), "
      "f, (a);\n"
      "ld.param.b32 %r0, [r]; }";
  CHECK(result_of(shared, body, 32, 64)[31] == 123);
}

TEST_CASE("local memory of a caller stays apart from the callee's, by pointer too") {
  const std::string function =
      ".func f(.param .b64 p, .param .b32 v) { .local .align 4 .b8 mine[8]; .reg .b64 %rd<4>; .reg .b32 "
      "%r<4>;\n"
      "ld.param.u64 %rd1, [p]; ld.param.u32 %r1, [v]; mov.u64 %rd2, mine; st.local.u32 [%rd2], 9; "
      "st.local.u32 [mine+4], 9;\n"
      "st.u32 [%rd1], %r1; ret; }\n";
  const std::string body =
      ".local .align 8 .b8 depot[16]; mov.u64 %rd1, depot; cvta.local.u64 %rd2, %rd1; st.local.u32 "
      "[depot+4], 5;\n"
      "mov.u32 %r1, %tid.x; { .param .b64 p; .param .b32 v; st.param.b64 [p], %rd2; st.param.b32 [v], %r1; "
      "call f, (p, v); }\n"
      "ld.local.u32 %r2, [%rd1]; ld.local.u32 %r3, [depot+4]; mad.lo.u32 %r0, %r2, 10, %r3;";
  const auto values = result_of(function, body);
  for (uint32_t i = 0; i < 32; ++i) CHECK(values[i] == i * 10 + 5);
}

TEST_CASE("recursion and indirect calls") {
  const std::string functions =
      ".func (.param .b32 r) fact(.param .b32 n) { .reg .pred %p<2>; .reg .b32 %r<5>; ld.param.u32 %r1, "
      "[n];\n"
      "mov.u32 %r2, 1; setp.lt.u32 %p1, %r1, 2; @%p1 bra DONE; sub.u32 %r3, %r1, 1;\n"
      "{ .param .b32 a; .param .b32 v; st.param.b32 [a], %r3; call (v), fact, (a); ld.param.b32 %r4, [v]; }\n"
      "mul.lo.u32 %r2, %r1, %r4;\nDONE: st.param.b32 [r], %r2; ret; }\n"
      ".func (.param .b32 r) twice(.param .b32 n) { .reg .b32 %r<3>; ld.param.u32 %r1, [n]; add.u32 %r2, "
      "%r1, %r1;\n"
      "st.param.b32 [r], %r2; ret; }\n.global .u64 table[2] = {fact, twice};\n";
  const std::string body =
      "mov.u32 %r1, %tid.x; and.b32 %r2, %r1, 1; mul.wide.u32 %rd1, %r2, 8; mov.u64 %rd2, table; add.u64 "
      "%rd1, %rd1, %rd2;\n"
      "ld.global.u64 %rd3, [%rd1]; rem.u32 %r3, %r1, 9;\n"
      "{ .param .b32 a; .param .b32 v; st.param.b32 [a], %r3; P: .callprototype (.param .b32 _) _ (.param "
      ".b32 _);\n"
      "call (v), %rd3, (a), P; ld.param.b32 %r0, [v]; }";
  const uint32_t factorial[] = {1, 1, 2, 6, 24, 120, 720, 5040, 40320};
  const auto values = result_of(functions, body);
  for (uint32_t i = 0; i < 32; ++i) CHECK(values[i] == (i % 2 != 0 ? 2 * (i % 9) : factorial[i % 9]));
}
