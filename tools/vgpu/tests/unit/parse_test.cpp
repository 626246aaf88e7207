// The PTX parser: every form of syntax on small texts, and what nvcc writes.
#include <chrono>
#include <cstring>
#include <string>

#include "ptx/module.h"
#include "tests/unit/catch.h"

using namespace vgpu::ptx;
using Kind = Operand::Kind;

CATCH_TRANSLATE_EXCEPTION(const SyntaxError& error) {
  return "line " + std::to_string(error.line) + ": " + error.what;
}

namespace {

const std::string kHeader = ".version 9.0\n.target sm_80\n.address_size 64\n";

std::unique_ptr<Module> module_of(const std::string& text) {
  return parse(kHeader + text);
}

// A kernel with registers of all kinds round the statements.
std::unique_ptr<Module> kernel_of(const std::string& statements) {
  return module_of(
      ".global .align 4 .b8 data[64];\n.extern .shared .align 16 .b8 dynamic[];\n"
      ".func (.param .b32 r) callee(.param .b32 a);\n"
      ".visible .entry k(.param .u64 p, .param .u32 n)\n{\n"
      ".reg .pred %p<4>;\n.reg .b16 %rs<4>;\n.reg .b32 %r<20>;\n.reg .b64 %rd<20>;\n.reg .f32 %f<20>;\n" +
      statements + "\nret;\n}\n");
}

const Instruction& first(const std::unique_ptr<Module>& module) {
  return module->functions.back().instructions.at(0);
}

const Variable& variable(const std::unique_ptr<Module>& module, std::string_view name) {
  for (const Variable& v : module->variables)
    if (v.name == name) return v;
  FAIL("no variable of that name");
  return module->variables.front();
}

Operand operand_of(const std::string& text) {
  const auto module = kernel_of("mov.b64 %rd1, " + text + ";");
  return first(module).operands.at(1);
}

SyntaxError error_of(const std::string& text) {
  try {
    parse(text);
  } catch (const SyntaxError& error) {
    return error;
  }
  return {};
}

uint64_t bits(double value) {
  uint64_t result;
  std::memcpy(&result, &value, sizeof value);
  return result;
}

template <class T>
T element(const Variable& v, size_t index) {
  T value;
  REQUIRE(v.initial.size() >= (index + 1) * sizeof(T));
  std::memcpy(&value, v.initial.data() + index * sizeof(T), sizeof(T));
  return value;
}

}  // namespace

TEST_CASE("types have their sizes and names") {
  CHECK(type_named("f32") == Type::F32);
  CHECK(type_named("bf16x2") == Type::BF16x2);
  CHECK(type_named("pred") == Type::Pred);
  CHECK(type_named("rn") == Type::Other);
  CHECK(type_named("") == Type::Other);
  CHECK(size_of(Type::B128) == 16);
  CHECK(size_of(Type::E4M3x2) == 2);
  CHECK(size_of(Type::Pred) == 0);
}

TEST_CASE("integers in all bases") {
  CHECK(operand_of("42").bits == 42);
  CHECK(operand_of("-42").bits == static_cast<uint64_t>(-42));
  CHECK(operand_of("0x1F").bits == 31);
  CHECK(operand_of("0XffffffffffffffffU").bits == ~0ull);
  CHECK(operand_of("0b101U").bits == 5);
  CHECK(operand_of("017").bits == 15);
  CHECK(operand_of("0").bits == 0);
  CHECK(operand_of("7U").bits == 7);
  CHECK(operand_of("18446744073709551615").bits == ~0ull);
  CHECK(operand_of("-9223372036854775808").bits == 1ull << 63);
  CHECK(operand_of("WARP_SZ").bits == 32);
}

TEST_CASE("floating-point literals") {
  const Operand single = operand_of("0f3F800000");
  CHECK(single.kind == Kind::Float32);
  CHECK(single.bits == 0x3F800000u);
  const Operand wide = operand_of("0d3FF0000000000000");
  CHECK(wide.kind == Kind::Float64);
  CHECK(wide.bits == bits(1.0));
  CHECK(operand_of("1.5").bits == bits(1.5));
  CHECK(operand_of("-2.5e-3").bits == bits(-2.5e-3));
  CHECK(operand_of("1e3").bits == bits(1000));
  CHECK(operand_of(".25").bits == bits(0.25));
  CHECK(operand_of("-0f3F800000").bits == 0xBF800000u);
}

TEST_CASE("constant expressions") {
  CHECK(operand_of("-(1)").bits == static_cast<uint64_t>(-1));
  CHECK(operand_of("1+2*3").bits == 7);
  CHECK(operand_of("(1 + 2) * 3").bits == 9);
  CHECK(operand_of("1 << 4 | 3").bits == 19);
  CHECK(operand_of("~0 & 0xFF").bits == 255);
  CHECK(operand_of("10 - 4 - 3").bits == 3);
  CHECK(operand_of("-7 / 2").bits == static_cast<uint64_t>(-3));
  CHECK(operand_of("3 > 2 ? 10 : 20").bits == 10);
  CHECK(operand_of("(.s64)-1 >> 1").bits == ~0ull);
  CHECK(operand_of("WARP_SZ - 1").bits == 31);
  CHECK(error_of(kHeader + ".global .u32 x = 1 / 0;").what.find("zero") != std::string::npos);
}

TEST_CASE("addresses") {
  const auto module = kernel_of(
      "ld.u32 %r1, [%rd4+-4];\nld.u32 %r1, [%rd4 - 8];\nld.global.u32 %r1, [data];\n"
      "ld.global.u32 %r1, [data+12];\nld.u32 %r1, [0x100];\nld.u32 %r1, [%rd4+(2*4)+1];\n"
      "ld.global.u8 %r1, data[3];\nld.param.u64 %rd1, [p];\n"
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [dynamic], [%rd1, {%r1, "
      "7}], "
      "[%rd2];");
  const auto& list = module->functions.back().instructions;
  const Operand& a = list[0].operands[1];
  CHECK(a.kind == Kind::Address);
  CHECK(a.elements.at(0).kind == Kind::Register);
  CHECK(a.elements[0].name == "%rd4");
  CHECK(a.offset == -4);
  CHECK(list[1].operands[1].offset == -8);
  CHECK(list[2].operands[1].elements[0].variable == &variable(module, "data"));
  CHECK(list[2].operands[1].offset == 0);
  CHECK(list[3].operands[1].offset == 12);
  CHECK(list[4].operands[1].elements[0].kind == Kind::Integer);
  CHECK(list[4].operands[1].offset == 0x100);
  CHECK(list[5].operands[1].offset == 9);
  CHECK(list[6].operands[1].kind == Kind::Variable);
  CHECK(list[6].operands[1].offset == 3);
  CHECK(list[7].operands[1].elements[0].variable == &module->functions.back().params[0]);
  const Instruction& tensor = list[8];
  CHECK(tensor.modifiers.at(2) == "tensor");
  CHECK(tensor.modifiers.at(4) == "shared::cluster");
  CHECK(tensor.has("mbarrier::complete_tx::bytes"));
  CHECK(tensor.operands[1].elements.size() == 3);
  CHECK(tensor.operands[1].elements[2].bits == 7);
}

TEST_CASE("variables as values, functions, sinks, vectors, pairs") {
  const auto module = kernel_of(
      "mov.u64 %rd1, data+4;\nmov.u64 %rd1, callee;\nshfl.sync.down.b32 %r1|%p1, %r2, 1, 31, -1;\n"
      "setp.lt.and.s32 %p1|%p2, %r1, %r2, !%p3;\nld.global.v4.f32 {%f1, _, %f3, %f4}, [%rd1];\n"
      "atom.global.add.u32 _, [%rd1], 1;\nmov.pred %p1, !%p2;\nelect.sync _|%p1, %r1;\nmov.u32 %r1, %tid.x;\n"
      "mov.u32 %r1, %envreg2;\nmov.u32 %r1, %laneid;");
  const auto& list = module->functions.back().instructions;
  CHECK(list[0].operands[1].kind == Kind::Variable);
  CHECK(list[0].operands[1].offset == 4);
  CHECK(list[1].operands[1].kind == Kind::Function);
  CHECK(list[1].operands[1].name == "callee");
  CHECK(list[2].operands[0].kind == Kind::Pair);
  CHECK(list[2].operands[0].elements[1].name == "%p1");
  CHECK(list[2].operands[4].bits == ~0ull);
  CHECK(list[3].operands[3].negated);
  CHECK(list[3].operands[3].name == "%p3");
  CHECK(list[4].operands[0].kind == Kind::Vector);
  CHECK(list[4].operands[0].elements.size() == 4);
  CHECK(list[4].operands[0].elements[1].kind == Kind::Sink);
  CHECK(list[5].operands[0].kind == Kind::Sink);
  CHECK(list[6].operands[1].negated);
  CHECK(list[7].operands[0].kind == Kind::Pair);
  CHECK(list[7].operands[0].elements[0].kind == Kind::Sink);
  CHECK(list[8].operands[1].kind == Kind::Special);
  CHECK(list[8].operands[1].name == "%tid.x");
  CHECK(list[9].operands[1].name == "%envreg2");
  CHECK(list[10].operands[1].name == "%laneid");
}

TEST_CASE("guards and statement texts") {
  const auto module = kernel_of("@%p1 bra END;\n@!%p2 mov.u32\t%r1,\n   5;\nEND:");
  const Function& fn = module->functions.back();
  CHECK(fn.registers[static_cast<size_t>(fn.instructions[0].guard)].name == "%p1");
  CHECK_FALSE(fn.instructions[0].guard_negated);
  CHECK(fn.instructions[0].text == "@%p1 bra END");
  CHECK(fn.instructions[0].operands[0].kind == Kind::Label);
  CHECK(fn.labels[static_cast<size_t>(fn.instructions[0].operands[0].index)].target == 2);
  CHECK(fn.instructions[1].guard_negated);
  CHECK(fn.instructions[1].text == "@!%p2 mov.u32 %r1, 5");
}

TEST_CASE("scopes of inline assembly hide names") {
  const std::string block =
      "{ .reg .pred p; .reg .b32 r<4>; setp.ne.u32 p, %r1, 0; @p mov.u32 r1, 5; @!p bra L1; L1: mov.b32 %r1, "
      "r1; }\n";
  const auto module = kernel_of(block + block + "{ .reg .b32 r1; { mov.b32 r1, 1; } }");
  const Function& fn = module->functions.back();
  REQUIRE(fn.labels.size() == 2);
  const auto& list = fn.instructions;
  CHECK(fn.labels[static_cast<size_t>(list[2].operands[0].index)].target == 3);
  CHECK(fn.labels[static_cast<size_t>(list[6].operands[0].index)].target == 7);
  CHECK(list[1].operands[0].index != list[5].operands[0].index);
  CHECK(list[1].operands[0].index == list[3].operands[1].index);
  CHECK(list[1].guard != list[5].guard);
}

TEST_CASE("register declarations") {
  const auto module = kernel_of(
      ".reg .v4 .f32 v; .reg .b32 a, b, c<2>; .reg .b128 wide; .reg .f32 x1<4>;\n"
      "add.f32 v.x, v.y, v.w;\nst.global.v4.f32 [%rd1], v;\nadd.s32 a, b, c1;\nmov.b128 wide, {%rd1, %rd2};\n"
      "mov.f32 x13, x10;");
  const Function& fn = module->functions.back();
  const auto& list = fn.instructions;
  CHECK(list[0].operands[0].index + 1 == list[0].operands[1].index);
  CHECK(list[0].operands[0].index + 3 == list[0].operands[2].index);
  CHECK(list[1].operands[1].kind == Kind::Vector);
  CHECK(list[1].operands[1].elements.at(2).index == list[0].operands[0].index + 2);
  CHECK(list[2].operands[2].name == "c1");
  CHECK(fn.registers[static_cast<size_t>(list[3].operands[0].index)].type == Type::B128);
  CHECK(fn.registers[static_cast<size_t>(list[4].operands[0].index)].type == Type::F32);
}

TEST_CASE("calls in all forms") {
  const auto module = kernel_of(
      "{\n.param .b32 a0; .param .align 8 .b8 a1[24]; .param .b32 rv;\nst.param.b32 [a0+0], %r1;\n"
      "call.uni (rv), \n callee, \n (\n a0,\n a1\n );\ncall callee;\ncall callee, (a0);\ncall (rv), callee, "
      "();\n"
      "proto: .callprototype (.param .b32 _) _ (.param .b32 _, .param .align 8 .b8 _[16]) .noreturn;\n"
      "call (rv), %rd1, (a0), proto;\n"
      "targets: .calltargets callee;\ncall (rv), %rd1, (a0), targets;\n}");
  const Function& fn = module->functions.back();
  const auto& list = fn.instructions;
  const Instruction& full = list[1];
  REQUIRE(full.operands.size() == 3);
  CHECK(full.operands[0].kind == Kind::List);
  CHECK(full.operands[0].elements[0].variable == &fn.variables[2]);
  CHECK(full.operands[1].kind == Kind::Function);
  CHECK(full.operands[2].elements.size() == 2);
  CHECK(full.operands[2].elements[1].variable->size == 24);
  CHECK(full.text == "call.uni (rv), callee, ( a0, a1 )");
  CHECK(list[2].operands.size() == 1);
  CHECK(list[3].operands.size() == 2);
  CHECK(list[4].operands[2].elements.empty());
  CHECK(list[5].operands[1].kind == Kind::Register);
  REQUIRE(list[5].operands[3].kind == Kind::Label);
  const Label& proto = fn.labels[static_cast<size_t>(list[5].operands[3].index)];
  CHECK(proto.is_prototype);
  CHECK(proto.returns.size() == 1);
  CHECK(proto.params.at(1).size == 16);
  CHECK(fn.labels[static_cast<size_t>(list[6].operands[3].index)].call_targets.at(0) == "callee");
}

TEST_CASE("branch tables") {
  const auto module =
      kernel_of("T: .branchtargets A, B, A;\nbrx.idx %r1, T;\nA: mov.u32 %r1, 1;\nB: mov.u32 %r1, 2;");
  const Function& fn = module->functions.back();
  const Operand& table = fn.instructions[0].operands.at(1);
  REQUIRE(table.kind == Kind::Label);
  const Label& label = fn.labels[static_cast<size_t>(table.index)];
  REQUIRE(label.branch_targets.size() == 3);
  CHECK(fn.labels[static_cast<size_t>(label.branch_targets[0])].target == 1);
  CHECK(fn.labels[static_cast<size_t>(label.branch_targets[1])].target == 2);
}

TEST_CASE("variables: sizes, alignment, linkage") {
  const auto module = module_of(
      ".visible .global .align 16 .b8 a[3][4];\n.const .f64 b;\n.global .v4 .f32 c[2];\n.extern .shared "
      ".align 128 .b8 "
      "d[];\n.shared .u16 e, f[5];\n.global .attribute(.managed) .align 4 .u32 g = 7;\n.extern .global .u32 "
      "h;\n"
      ".weak .global .u32 i;\n.common .global .u32 j;\n.visible .global .u32 h;\n.global .u32 k[] = {1, 2, "
      "3};");
  CHECK(variable(module, "a").size == 12);
  CHECK(variable(module, "a").alignment == 16);
  CHECK(variable(module, "b").space == Space::Const);
  CHECK(variable(module, "b").alignment == 8);
  CHECK(variable(module, "c").size == 32);
  CHECK(variable(module, "c").alignment == 16);
  CHECK(variable(module, "d").size == 0);
  CHECK(variable(module, "d").is_extern);
  CHECK(variable(module, "d").alignment == 128);
  CHECK(variable(module, "f").size == 10);
  CHECK(variable(module, "f").space == Space::Shared);
  CHECK(variable(module, "g").managed);
  CHECK(element<uint32_t>(variable(module, "g"), 0) == 7);
  CHECK_FALSE(variable(module, "h").is_extern);
  CHECK(variable(module, "k").size == 12);
}

TEST_CASE("initialisers") {
  const auto module = module_of(
      ".func f();\n.global .u32 x;\n.global .f32 a[3] = {0f3F800000, 1.5, -2};\n.global .f64 b = "
      "0d400C000000000000;\n"
      ".global .s16 c[4] = {-1, 0x10, -(1)};\n.global .u64 d[4] = {x, generic(x)+8, f, x-4};\n"
      ".global .u8 e[3] = {0xFF(x), 0xFF00(x), 0xFF0000(x)};\n.global .u32 m[2][2] = {{1, 2}, {3, 4}};\n"
      ".global .b8 s[6] = {104, 105};\n.global .u32 w = WARP_SZ;");
  const Variable& a = variable(module, "a");
  CHECK(element<float>(a, 0) == 1.0f);
  CHECK(element<float>(a, 1) == 1.5f);
  CHECK(element<float>(a, 2) == -2.0f);
  CHECK(element<double>(variable(module, "b"), 0) == 3.5);
  CHECK(element<int16_t>(variable(module, "c"), 0) == -1);
  CHECK(element<int16_t>(variable(module, "c"), 2) == -1);
  const auto& d = variable(module, "d").relocations;
  REQUIRE(d.size() == 4);
  CHECK(d[0].symbol == "x");
  CHECK(d[1].generic);
  CHECK(d[1].addend == 8);
  CHECK(d[1].offset == 8);
  CHECK(d[2].symbol == "f");
  CHECK(d[3].addend == -4);
  const auto& e = variable(module, "e").relocations;
  REQUIRE(e.size() == 3);
  CHECK(e[1].shift == 8);
  CHECK(e[2].bytes == 1);
  CHECK(element<uint32_t>(variable(module, "m"), 3) == 4);
  CHECK(variable(module, "s").initial.size() == 2);
  CHECK(variable(module, "s").size == 6);
  CHECK(element<uint32_t>(variable(module, "w"), 0) == 32);
}

TEST_CASE("functions: declarations, attributes, parameters") {
  const auto module = module_of(
      ".extern .func (.param .b32 r) vprintf(.param .b64 a, .param .b64 b)\n;\n"
      ".func (.param .align 16 .b8 r[40]) f(.param .align 16 .b8 a[40], .param .b32 b);\n"
      ".visible .func (.param .align 16 .b8 r[40]) f(.param .align 16 .b8 a[40], .param .b32 b)\n{ ret; }\n"
      ".func g() .noreturn .abi_preserve 4 { trap; }\n.weak .func h;\n.alias h, f;\n"
      ".weak .entry k(.param .u64 .ptr .global .align 1 p, .param .u32 n, .param .align 8 .b8 s[24])\n"
      ".maxntid 16, 8, 2\n.minnctapersm 2\n.maxnreg 64\n.explicitcluster\n.reqnctapercluster 2, 1, 1\n{ ret; "
      "}\n"
      ".entry k2 .reqntid 32 .maxclusterrank 8 { ret; }\n"
      ".func (.param .align 16 .b8 r[40]) f(.param .align 16 .b8 a[40], .param .b32 b);\n");
  REQUIRE(module->functions.size() == 6);
  CHECK_FALSE(module->functions[0].defined);
  CHECK(module->functions[1].name == "f");
  CHECK(module->functions[1].defined);
  CHECK(module->functions[1].params.at(0).size == 40);
  CHECK(module->functions[1].returns.at(0).alignment == 16);
  CHECK(module->aliases.at(0).first == "h");
  const Function& k = module->functions[4];
  CHECK(k.entry);
  CHECK(k.max_threads == 256);
  CHECK(k.min_blocks == 2);
  CHECK(k.max_registers == 64);
  CHECK(k.cluster[0] == 2);
  CHECK(k.explicit_cluster);
  CHECK(k.params[0].alignment == 8);
  CHECK(k.params[2].size == 24);
  CHECK(module->functions[5].required_threads[0] == 32);
  CHECK(module->functions[5].required_threads[2] == 1);
}

TEST_CASE("line information with the chain of inlined calls") {
  const auto module = module_of(
      ".entry k\n{\n.reg .b32 %r<4>;\n.loc 1 10 0\nmov.u32 %r1, 1;\n.loc 1 18 3\n"
      ".loc 2 440 9, function_name $L__info_string0, inlined_at 1 18 3\nmov.u32 %r2, 2;\n"
      ".loc 2 441 1, function_name $L__info_string0+2, inlined_at 2 440 9\nmov.u32 %r3, 3;\n.loc 1 0 3\n"
      "mov.u32 %r1, 4;\nret;\n}\n.file 1 \"/src/a.cu\"\n.file 2 \"b.h\", 123, 456\n.section .debug_str\n{\n"
      "$L__info_string0:\n.b8 95,90,\n51\n.b8 0\n$L__info_string1:\n.b8 65,0\n}\n"
      ".section .debug_abbrev\n{\n.b8 1\n.b32 $L__x{}\n}\n");
  CHECK(module->files.at(1) == "/src/a.cu");
  const auto& list = module->functions[0].instructions;
  const auto at = [&](size_t i) { return module->locations.at(static_cast<size_t>(list[i].location)); };
  CHECK(at(0).line == 10);
  CHECK(at(0).inlined_at == -1);
  CHECK(at(1).file == 2);
  CHECK(at(1).function == "_Z3");
  CHECK(module->locations[static_cast<size_t>(at(1).inlined_at)].line == 18);
  CHECK(at(2).function == "3");
  CHECK(module->locations[static_cast<size_t>(at(2).inlined_at)].line == 440);
  CHECK(list[3].location == list[2].location);
}

TEST_CASE("comments and pragmas") {
  const auto module = kernel_of(
      "// a comment; with } all sorts\n/* and\nanother ; */ mov.u32 /* here */ %r1, 1; // end\n.pragma "
      "\"nounroll\";\n;;");
  CHECK(module->functions.back().instructions.size() == 2);
  CHECK(module->version == "9.0");
  CHECK(module->target == "sm_80");
}

TEST_CASE("demoted variables belong to the function") {
  const auto module = kernel_of(".shared .align 4 .b8 demoted[12];\nmov.u32 %r1, demoted;");
  const Function& fn = module->functions.back();
  REQUIRE(fn.variables.size() == 1);
  CHECK(first(module).operands[1].variable == &fn.variables[0]);
  CHECK(fn.variables[0].space == Space::Shared);
}

TEST_CASE("errors name the line and what was expected") {
  CHECK(error_of(kHeader + "\n.entry k { mov.u32 %r1, 0; ret; }").line == 5);
  CHECK(error_of(kHeader + ".entry k { .reg .b32 %r<2>; mov.u32 %r2, 0; }").what.find("%r2") !=
        std::string::npos);
  CHECK(error_of(kHeader + ".entry k { bra NOWHERE; }").what.find("NOWHERE") != std::string::npos);
  CHECK(error_of(kHeader + ".entry k { A: A: ret; }").what.find("second label") != std::string::npos);
  CHECK(error_of(kHeader + ".entry k { ret; mov.u32 1 2; }").what.find("expected ';'") != std::string::npos);
  CHECK(error_of(kHeader + ".entry k { ret;").line == 4);
  CHECK(error_of(kHeader + ".global .q32 x;").what.find("expected a type") != std::string::npos);
  CHECK(error_of(kHeader + ".global .u32 x[1] = {1, 2};").what.find("more initial values") !=
        std::string::npos);
  CHECK(error_of(kHeader + ".address_size 32").line != 0);
  CHECK(error_of("nonsense").line == 1);
  CHECK(error_of(kHeader + "/* open").what.find("comment") != std::string::npos);
}

TEST_CASE("two megabytes are parsed at once") {
  std::string text = kHeader;
  for (int f = 0; text.size() < 2'000'000; ++f) {
    text += ".visible .entry k" + std::to_string(f) + "(.param .u64 p" + std::to_string(f) +
            ")\n{\n\t.reg .b32 \t%r<500>;\n\t.reg .b64 \t%rd<500>;\n\t.reg .f32 \t%f<500>;\n";
    for (int i = 0; i < 400; ++i) {
      const std::string n = std::to_string(i);
      text += "\t.loc\t1 " + n + " 3\n\tmad.lo.s32 \t%r" + n + ", %r" + n + ", 12, %r7;\n\tfma.rn.f32 \t%f" +
              n + ", %f1, %f2, 0f3F800000;\n\tld.global.f32 \t%f3, [%rd" + n + "+16];\n";
    }
    text += "\tret;\n}\n";
  }
  const auto begin = std::chrono::steady_clock::now();
  const auto module = parse(text);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  CHECK(module->functions.size() > 10);
  CHECK(seconds.count() < 1.0);
}
