// Lowering of integer arithmetic: an opcode, its modifiers and its type name the handler.
#include <vector>

#include "ops/integer_flags.h"
#include "ops/rule_support.h"

namespace vgpu {
namespace {

using rule::Type;

// d = op(a, b ...) where `d` has type `result`, and the sources the types listed.
void lower(Lowering& lowering, const ptx::Instruction& in, const std::string& name, Type result,
           std::initializer_list<Type> sources, uint16_t flags = 0) {
  if (in.operands.size() < sources.size() + 1) lowering.unsupported(in, "an operand is missing");
  std::vector<Ref> refs;
  for (Type type : sources) refs.push_back(lowering.read(in.operands[refs.size() + 1], type));
  const Ref d = lowering.write(in.operands[0], result);
  refs.resize(3, kNoRef);
  rule::emit(lowering, in, name, d, {refs[0], refs[1], refs[2]}, flags);
}

// "mul.hi" and the like: the opcode with the part of the product that is wanted.
std::string product_name(const ptx::Instruction& in, std::string_view opcode) {
  const char* part = in.has("wide") ? ".wide" : in.has("hi") ? ".hi" : ".lo";
  return std::string(opcode) + part;
}

bool is_pair(Type type) {
  return type == Type::U16x2 || type == Type::S16x2;
}

Type doubled(Type type) {
  switch (type) {
    case Type::U16:
      return Type::U32;
    case Type::S16:
      return Type::S32;
    case Type::U32:
      return Type::U64;
    default:
      return Type::S64;
  }
}

uint16_t carry_flags(const ptx::Instruction& in, bool reads) {
  return static_cast<uint16_t>((reads ? carry::kRead : 0) | (in.has("cc") ? carry::kWrite : 0));
}

// add, sub, addc, subc
void lower_sum(Lowering& lowering, const ptx::Instruction& in) {
  const Type type = last_type(in);
  const std::string opcode(in.opcode.substr(0, 3));
  const bool reads_carry = in.opcode.size() == 4;
  if (reads_carry || in.has("cc")) {
    const std::string name = opcode + "c." + rule::bits_name(type);
    lower(lowering, in, name, type, {type, type}, carry_flags(in, reads_carry));
  } else if (is_pair(type)) {
    lower(lowering, in, opcode + ".16x2", type, {type, type});
  } else {
    const std::string name = opcode + (in.has("sat") ? ".sat.s32" : "." + rule::bits_name(type));
    lower(lowering, in, name, type, {type, type});
  }
}

void lower_mul(Lowering& lowering, const ptx::Instruction& in) {
  const Type type = last_type(in);
  std::string name = product_name(in, in.opcode);
  name += "." + (name == "mul.lo" ? rule::bits_name(type) : rule::signed_name(type));
  lower(lowering, in, name, in.has("wide") ? doubled(type) : type, {type, type});
}

// mad, mad24, madc
void lower_mad(Lowering& lowering, const ptx::Instruction& in) {
  const Type type = last_type(in);
  const bool reads_carry = in.opcode == "madc", carries = reads_carry || in.has("cc");
  std::string name = product_name(in, carries ? "madc" : in.opcode);
  const bool signless = name == "mad.lo" || name == "madc.lo";
  if (in.has("sat")) name += ".sat";
  name += "." + (signless ? rule::bits_name(type) : rule::signed_name(type));
  const Type sum = in.has("wide") ? doubled(type) : type;
  lower(lowering, in, name, sum, {type, type, sum}, carry_flags(in, reads_carry));
}

// div, rem, min, max
void lower_signed_binary(Lowering& lowering, const ptx::Instruction& in) {
  const Type type = last_type(in);
  std::string name(in.opcode);
  if (in.has("relu")) name += ".relu";
  name += "." + (is_pair(type) ? std::string(type_name(type)) : rule::signed_name(type));
  lower(lowering, in, name, type, {type, type});
}

void lower_sad(Lowering& lowering, const ptx::Instruction& in) {
  const Type type = last_type(in);
  lower(lowering, in, "sad." + rule::signed_name(type), type, {type, type, type});
}
void lower_abs(Lowering& lowering, const ptx::Instruction& in) {
  const Type type = last_type(in);
  lower(lowering, in, "abs." + rule::signed_name(type), type, {type});
}
void lower_neg(Lowering& lowering, const ptx::Instruction& in) {
  const Type type = last_type(in);
  lower(lowering, in, "neg." + rule::bits_name(type), type, {type});
}

}  // namespace

void add_integer_rules(RuleMap& rules) {
  for (std::string_view opcode : {"add", "sub", "addc", "subc"}) rules[opcode] = lower_sum;
  for (std::string_view opcode : {"mad", "mad24", "madc"}) rules[opcode] = lower_mad;
  for (std::string_view opcode : {"mul", "mul24"}) rules[opcode] = lower_mul;
  for (std::string_view opcode : {"div", "rem", "min", "max"}) rules[opcode] = lower_signed_binary;
  rules["sad"] = lower_sad;
  rules["abs"] = lower_abs;
  rules["neg"] = lower_neg;
  add_bit_rules(rules);
}

}  // namespace vgpu
