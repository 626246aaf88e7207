// Lowering of logic, shifts, bit fields, byte permutation and dot products.
#include <vector>

#include "ops/rule_support.h"

namespace vgpu {
namespace {

using rule::Type;

std::vector<Ref> read_sources(Lowering& lowering, const ptx::Instruction& in,
                              std::initializer_list<Type> types) {
  if (in.operands.size() < types.size() + 1) lowering.unsupported(in, "an operand is missing");
  std::vector<Ref> refs;
  for (Type type : types) refs.push_back(lowering.read(in.operands[refs.size() + 1], type));
  return refs;
}

Inst& lower(Lowering& lowering, const ptx::Instruction& in, const std::string& name, Type result,
            std::initializer_list<Type> types) {
  std::vector<Ref> refs = read_sources(lowering, in, types);
  refs.resize(3, kNoRef);
  const Ref d = lowering.write(in.operands[0], result);
  return rule::emit(lowering, in, name, d, {refs[0], refs[1], refs[2]});
}

std::string logic_name(const ptx::Instruction& in, Type type) {
  return std::string(in.opcode) + "." + (type == Type::Pred ? "pred" : rule::bits_name(type));
}

// and, or, xor
void lower_logic(Lowering& lowering, const ptx::Instruction& in) {
  const Type type = last_type(in);
  lower(lowering, in, logic_name(in, type), type, {type, type});
}
// not, cnot
void lower_complement(Lowering& lowering, const ptx::Instruction& in) {
  const Type type = last_type(in);
  lower(lowering, in, logic_name(in, type), type, {type});
}

void lower_shl(Lowering& lowering, const ptx::Instruction& in) {
  const Type type = last_type(in);
  lower(lowering, in, "shl." + rule::bits_name(type), type, {type, Type::U32});
}
void lower_shr(Lowering& lowering, const ptx::Instruction& in) {
  const Type type = last_type(in);
  lower(lowering, in, "shr." + rule::signed_name(type), type, {type, Type::U32});
}
void lower_shf(Lowering& lowering, const ptx::Instruction& in) {
  const std::string name =
      std::string("shf.") + (in.has("l") ? "l." : "r.") + (in.has("clamp") ? "clamp" : "wrap");
  lower(lowering, in, name, Type::B32, {Type::B32, Type::B32, Type::U32});
}

// popc, clz
void lower_count(Lowering& lowering, const ptx::Instruction& in) {
  const Type type = last_type(in);
  lower(lowering, in, logic_name(in, type), Type::U32, {type});
}
void lower_brev(Lowering& lowering, const ptx::Instruction& in) {
  const Type type = last_type(in);
  lower(lowering, in, logic_name(in, type), type, {type});
}
void lower_bfind(Lowering& lowering, const ptx::Instruction& in) {
  const Type type = last_type(in);
  const std::string name = in.has("shiftamt") ? "bfind.shiftamt." : "bfind.";
  lower(lowering, in, name + rule::signed_name(type), Type::U32, {type});
}
void lower_fns(Lowering& lowering, const ptx::Instruction& in) {
  lower(lowering, in, "fns.b32", Type::U32, {Type::B32, Type::B32, Type::S32});
}

void lower_bfe(Lowering& lowering, const ptx::Instruction& in) {
  const Type type = last_type(in);
  lower(lowering, in, "bfe." + rule::signed_name(type), type, {type, Type::U32, Type::U32});
}
void lower_bfi(Lowering& lowering, const ptx::Instruction& in) {
  const Type type = last_type(in);
  const std::vector<Ref> refs = read_sources(lowering, in, {type, type, Type::U32, Type::U32});
  const Ref d = lowering.write(in.operands[0], type);
  const uint32_t extra = lowering.refs({refs[3]});
  rule::emit(lowering, in, "bfi." + rule::bits_name(type), d, {refs[0], refs[1], refs[2]}).extra = extra;
}
void lower_bmsk(Lowering& lowering, const ptx::Instruction& in) {
  const std::string name = in.has("clamp") ? "bmsk.clamp" : "bmsk.wrap";
  lower(lowering, in, name, Type::B32, {Type::B32, Type::B32});
}
void lower_szext(Lowering& lowering, const ptx::Instruction& in) {
  const Type type = last_type(in);
  const std::string name = in.has("clamp") ? "szext.clamp." : "szext.wrap.";
  lower(lowering, in, name + rule::signed_name(type), type, {type, Type::U32});
}

void lower_prmt(Lowering& lowering, const ptx::Instruction& in) {
  std::string name = "prmt";
  for (std::string_view mode : {"f4e", "b4e", "rc8", "ecl", "ecr", "rc16"})
    if (in.has(mode)) name += "." + std::string(mode);
  lower(lowering, in, name, Type::B32, {Type::B32, Type::B32, Type::B32});
}

// lop3.b32 d, a, b, c, table    lop3.or.b32 d|p, a, b, c, table, q
void lower_lop3(Lowering& lowering, const ptx::Instruction& in) {
  std::vector<Ref> refs = read_sources(lowering, in, {Type::B32, Type::B32, Type::B32});
  if (in.operands.size() < 5 || in.operands[4].kind != ptx::Operand::Kind::Integer)
    lowering.unsupported(in, "the table must be a constant");
  const int64_t table = static_cast<int64_t>(in.operands[4].bits & 0xFF);
  if (in.operands[0].kind != ptx::Operand::Kind::Pair) {
    const Ref d = lowering.write(in.operands[0], Type::B32);
    rule::emit(lowering, in, "lop3", d, {refs[0], refs[1], refs[2]}).imm = table;
    return;
  }
  const ptx::Operand& pair = in.operands[0];
  const Ref q =
      in.operands.size() > 5 ? lowering.read(in.operands[5], Type::Pred) : lowering.predicate_constant(0);
  const Ref d = lowering.write(pair.elements[0], Type::B32);
  const uint32_t extra = lowering.refs({lowering.write(pair.elements[1], Type::Pred), q});
  Inst& inst =
      rule::emit(lowering, in, in.has("and") ? "lop3.and" : "lop3.or", d, {refs[0], refs[1], refs[2]});
  inst.imm = table;
  inst.extra = extra;
}

// dp4a.atype.btype, dp2a.lo.atype.btype
void lower_dot(Lowering& lowering, const ptx::Instruction& in) {
  const std::vector<Type> types = types_of(in);
  if (types.size() != 2) lowering.unsupported(in, "two types are needed");
  std::string name(in.opcode);
  if (name == "dp2a") name += in.has("hi") ? ".hi" : ".lo";
  name += "." + rule::signed_name(types[0]) + "." + rule::signed_name(types[1]);
  lower(lowering, in, name, Type::B32, {Type::B32, Type::B32, Type::B32});
}

}  // namespace

void add_bit_rules(RuleMap& rules) {
  for (std::string_view opcode : {"and", "or", "xor"}) rules[opcode] = lower_logic;
  for (std::string_view opcode : {"not", "cnot"}) rules[opcode] = lower_complement;
  for (std::string_view opcode : {"popc", "clz"}) rules[opcode] = lower_count;
  for (std::string_view opcode : {"dp4a", "dp2a"}) rules[opcode] = lower_dot;
  rules["shl"] = lower_shl;
  rules["shr"] = lower_shr;
  rules["shf"] = lower_shf;
  rules["brev"] = lower_brev;
  rules["bfind"] = lower_bfind;
  rules["fns"] = lower_fns;
  rules["bfe"] = lower_bfe;
  rules["bfi"] = lower_bfi;
  rules["bmsk"] = lower_bmsk;
  rules["szext"] = lower_szext;
  rules["prmt"] = lower_prmt;
  rules["lop3"] = lower_lop3;
}

}  // namespace vgpu
