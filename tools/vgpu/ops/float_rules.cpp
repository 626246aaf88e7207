// Lowering of floating-point arithmetic: which handler of float_simd.cpp and half_simd.cpp an instruction
// gets.
//
// Opcodes such as `add` belong to integers as well: add_float_rules() keeps the rule that was there and hands
// it every instruction without a floating type. Mixed precision (add.f32.f16) becomes a widening and an f32
// instruction.
#include <string>
#include <string_view>
#include <vector>

#include "core/lowering.h"
#include "ops/float_flags.h"

namespace vgpu {
namespace {

using ptx::Type;

RuleMap& earlier_rules() {
  static RuleMap rules;
  return rules;
}

bool is_packed_or_half(Type type) {
  return type == Type::F16 || type == Type::F16x2 || type == Type::BF16 || type == Type::BF16x2;
}
bool is_floating(Type type) {
  return type == Type::F32 || type == Type::F64 || type == Type::F32x2 || is_packed_or_half(type);
}

bool is_extreme(std::string_view opcode) {
  return opcode == "min" || opcode == "max";
}

uint16_t flags_of(const ptx::Instruction& in, Type type) {
  uint16_t flags = arithmetic_flags(in);
  if (!is_extreme(in.opcode)) return flags;
  if (in.has("xorsign")) flags |= extreme::kXorSign;
  if (type == Type::F32) {
    if (in.has("abs")) flags |= extreme::kAbsolute;
    if (in.operands.size() == 4) flags |= extreme::kThreeOperands;
  }
  return flags;
}

bool is_function(std::string_view opcode) {  // computed by approx_math.h
  for (std::string_view name : {"ex2", "lg2", "sin", "cos", "tanh", "rsqrt"})
    if (opcode == name) return true;
  return false;
}

// The handler's name. Half formats obey the flags in any case; f32 and f64 have a handler without flags for
// speed.
std::string handler_name(const ptx::Instruction& in, Type type, uint16_t flags) {
  const std::string opcode = in.opcode == "mad" ? "fma" : std::string(in.opcode);
  const std::string suffix = std::string(".") + type_name(type);
  if (is_packed_or_half(type) || type == Type::F32x2) return opcode + suffix;
  const std::string ftz = (flags & flag::kFtz) != 0 ? ".ftz" : "";
  if (is_function(opcode)) return opcode + ".approx" + ftz + suffix;
  if (opcode == "abs" || opcode == "neg") return opcode + ftz + suffix;
  if (opcode == "copysign") return opcode + suffix;
  if (opcode == "rcp" && type == Type::F64 && in.has("approx")) return opcode + ".approx" + ftz + suffix;
  const std::string approximate = opcode == "div" && in.has("approx") ? ".approx" : "";
  return opcode + approximate + suffix + (flags != 0 ? ".mode" : "");
}

void emit(Lowering& lowering, const ptx::Instruction& in, Type type, const std::vector<Ref>& sources) {
  const uint16_t flags = flags_of(in, type);
  const std::string name = handler_name(in, type, flags);
  if (!lowering.has_handler(name)) lowering.unsupported(in, "no such floating-point instruction");
  const Ref destination = lowering.write(in.operands[0], type);
  Inst& inst = lowering.emit(in, lowering.handler(name));
  inst.d = destination;
  inst.a = sources[0];
  if (sources.size() > 1) inst.b = sources[1];
  if (sources.size() > 2) inst.c = sources[2];
  inst.flags = flags;
}

Ref widened(Lowering& lowering, const ptx::Instruction& in, const ptx::Operand& operand, Type type) {
  const Ref narrow = lowering.read(operand, type);
  const Ref wide = lowering.temporary(4);
  Inst& inst = lowering.emit(in, lowering.handler(std::string("widen.") + type_name(type)));
  inst.d = wide;
  inst.a = narrow;
  return wide;
}

// add, sub, mul, fma, div, min, ex2 ...: d, a [, b [, c]].
void lower_float(Lowering& lowering, const ptx::Instruction& in) {
  const std::vector<Type> types = types_of(in);
  if (in.has("oob")) lowering.unsupported(in, "fma with .oob");
  if (in.operands.size() < 2 || in.operands.size() > 4) lowering.unsupported(in, "number of operands");
  const Type type = types[0];
  const bool mixed = types.size() > 1 && type == Type::F32 && is_packed_or_half(types[1]);
  std::vector<Ref> sources;
  for (size_t i = 1; i < in.operands.size(); ++i) {
    const bool last = i + 1 == in.operands.size();  // the addend is f32 already
    sources.push_back(mixed && !last ? widened(lowering, in, in.operands[i], types[1])
                                     : lowering.read(in.operands[i], type));
  }
  emit(lowering, in, type, sources);
}

void lower_shared(Lowering& lowering, const ptx::Instruction& in) {
  const std::vector<Type> types = types_of(in);
  if (!types.empty() && is_floating(types[0])) return lower_float(lowering, in);
  const auto earlier = earlier_rules().find(in.opcode);
  if (earlier == earlier_rules().end()) lowering.unsupported(in, "operand type");
  earlier->second(lowering, in);
}

void lower_testp(Lowering& lowering, const ptx::Instruction& in) {
  static constexpr std::string_view kClasses[] = {"finite",     "infinite", "number",
                                                  "notanumber", "normal",   "subnormal"};
  const Type type = last_type(in);
  if ((type != Type::F32 && type != Type::F64) || in.operands.size() != 2)
    lowering.unsupported(in, "testp takes f32 or f64");
  int64_t wanted = 0;
  while (wanted < 6 && !in.has(kClasses[wanted])) ++wanted;
  if (wanted == 6) lowering.unsupported(in, "class of testp");
  const Ref source = lowering.read(in.operands[1], type);
  const Ref destination = lowering.write(in.operands[0], Type::Pred);
  Inst& inst = lowering.emit(in, lowering.handler(std::string("testp.") + type_name(type)));
  inst.d = destination;
  inst.a = source;
  inst.imm = wanted;
}

}  // namespace

void add_float_rules(RuleMap& rules) {
  for (const char* opcode : {"add", "sub", "mul", "mad", "fma", "div", "min", "max", "abs", "neg", "copysign",
                             "rcp", "sqrt", "rsqrt", "sin", "cos", "ex2", "lg2", "tanh"}) {
    const auto earlier = rules.find(opcode);
    if (earlier != rules.end() && earlier->second != lower_shared) earlier_rules()[opcode] = earlier->second;
    rules[opcode] = lower_shared;
  }
  rules["testp"] = lower_testp;
}

}  // namespace vgpu
