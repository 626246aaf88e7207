// The table of opcodes behind classify().
#include "check/classify.h"

#include <initializer_list>
#include <string_view>

namespace vgpu::check {
namespace {

using List = std::initializer_list<std::string_view>;

bool is_one_of(std::string_view word, List list) {
  for (std::string_view candidate : list) {
    if (candidate == word) return true;
  }
  return false;
}

constexpr const char* kNames[] = {
    "fp32_fma",     "fp32_add",    "fp32_mul",    "fp32_special",  "fp32_other",   "fp64",
    "fp16",         "integer",     "conversion",  "move",          "compare",      "load_global",
    "load_shared",  "load_local",  "load_param",  "load_const",    "load_generic", "store_global",
    "store_shared", "store_local", "store_param", "store_generic", "atomic",       "async_copy",
    "matrix",       "matrix_load", "shuffle",     "barrier",       "fence",        "control",
    "other"};
static_assert(sizeof kNames / sizeof kNames[0] == static_cast<size_t>(Class::Count));

struct Operation {
  Precision precision = Precision::None;
  uint32_t width = 1;  // operations a lane
};

// By the type of the result, which is the last one named.
Operation operation_of(const ptx::Instruction& instruction) {
  Operation operation;
  for (std::string_view modifier : instruction.modifiers) {
    if (is_one_of(modifier, {"f16", "bf16"})) operation = {Precision::Fp16, 1};
    if (is_one_of(modifier, {"f16x2", "bf16x2"})) operation = {Precision::Fp16, 2};
    if (modifier == "f32") operation = {Precision::Fp32, 1};
    if (modifier == "f32x2") operation = {Precision::Fp32, 2};
    if (modifier == "f64") operation = {Precision::Fp64, 1};
  }
  return operation;
}

Class load_class(const ptx::Instruction& instruction) {
  if (instruction.has("global")) return Class::LoadGlobal;
  if (instruction.has("const")) return Class::LoadConst;
  if (instruction.has("local")) return Class::LoadLocal;
  for (std::string_view modifier : instruction.modifiers) {
    if (modifier.substr(0, 6) == "shared") return Class::LoadShared;
    if (modifier.substr(0, 5) == "param") return Class::LoadParam;
  }
  return Class::LoadGeneric;
}

Class store_class(const ptx::Instruction& instruction) {
  switch (load_class(instruction)) {
    case Class::LoadGlobal:
      return Class::StoreGlobal;
    case Class::LoadShared:
      return Class::StoreShared;
    case Class::LoadLocal:
      return Class::StoreLocal;
    case Class::LoadParam:
      return Class::StoreParam;
    default:
      return Class::StoreGeneric;
  }
}

// Instructions whose class follows from the opcode alone; Other for the rest.
Class class_by_opcode(std::string_view op) {
  if (is_one_of(op, {"atom", "red", "multimem"})) return Class::Atomic;
  if (is_one_of(op, {"mma", "wgmma", "tcgen05"})) return Class::Matrix;
  if (is_one_of(op, {"ldmatrix", "stmatrix", "movmatrix"})) return Class::MatrixLoad;
  if (is_one_of(op, {"shfl", "vote", "match", "redux", "activemask", "elect"})) return Class::Shuffle;
  if (is_one_of(op, {"bar", "barrier", "mbarrier"})) return Class::Barrier;
  if (is_one_of(op, {"membar", "fence"})) return Class::Fence;
  if (is_one_of(op, {"bra", "brx", "call", "ret", "exit", "trap", "brkpt", "nanosleep"}))
    return Class::Control;
  if (is_one_of(op, {"cvt", "cvta"})) return Class::Conversion;
  if (is_one_of(op, {"mov", "prmt"})) return Class::Move;
  if (is_one_of(op, {"setp", "set", "selp", "slct", "testp", "isspacep"})) return Class::Compare;
  return Class::Other;
}

bool has_type_of_integer(const ptx::Instruction& instruction) {
  return instruction.modifiers.empty() ||
         is_one_of(instruction.modifiers.back(),
                   {"s16", "s32", "s64", "u16", "u32", "u64", "b16", "b32", "b64", "pred", "s16x2", "u16x2"});
}

InstructionFacts arithmetic(const ptx::Instruction& instruction, const Operation& operation) {
  const std::string_view op = instruction.opcode;
  InstructionFacts facts;
  facts.precision = operation.precision;
  const bool fused = is_one_of(op, {"fma", "mad"});
  const bool special = is_one_of(op, {"div", "rcp", "sqrt", "rsqrt", "sin", "cos", "lg2", "ex2", "tanh"});
  const bool counts = fused || special || is_one_of(op, {"add", "sub", "mul"});
  facts.flops = counts ? operation.width * (fused ? 2 : 1) : 0;
  if (operation.precision == Precision::Fp64) {
    facts.kind = Class::Fp64;
  } else if (operation.precision == Precision::Fp16) {
    facts.kind = Class::Fp16;
  } else if (fused) {
    facts.kind = Class::Fp32Fma;
  } else if (special) {
    facts.kind = Class::Fp32Special;
  } else if (op == "mul") {
    facts.kind = Class::Fp32Mul;
  } else {
    facts.kind = is_one_of(op, {"add", "sub"}) ? Class::Fp32Add : Class::Fp32Other;
  }
  return facts;
}

}  // namespace

const char* name_of(Class kind) {
  return kNames[static_cast<size_t>(kind)];
}

InstructionFacts classify(const ptx::Instruction& instruction) {
  const std::string_view op = instruction.opcode;
  InstructionFacts facts;
  facts.kind = class_by_opcode(op);
  if (facts.kind == Class::Other && op == "wmma") {
    facts.kind = instruction.has("mma") ? Class::Matrix : Class::MatrixLoad;
  }
  if (facts.kind == Class::Other && op == "cp") facts.kind = Class::AsyncCopy;
  if (facts.kind == Class::Other && is_one_of(op, {"ld", "ldu"})) facts.kind = load_class(instruction);
  if (facts.kind == Class::Other && op == "st") facts.kind = store_class(instruction);
  if (facts.kind != Class::Other) return facts;
  const Operation operation = operation_of(instruction);
  if (operation.precision != Precision::None) return arithmetic(instruction, operation);
  if (has_type_of_integer(instruction)) facts.kind = Class::Integer;
  return facts;
}

}  // namespace vgpu::check
