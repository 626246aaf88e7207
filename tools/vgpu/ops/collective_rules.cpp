// Lowering of the warp collectives: which operand goes where, which handler runs (ops/collective_simd.cpp).
#include <string>

#include "core/lowering.h"

namespace vgpu {
namespace {

using ptx::Operand;
using ptx::Type;

constexpr uint16_t kNegate = flag::kFree;
constexpr uint16_t kAbs = flag::kFree << 1;

// `d|p` or plain `d`; p is kNoRef when it is not asked for.
struct Destination {
  Ref value = kNoRef, predicate = kNoRef;
};

Destination destination(Lowering& l, const Operand& operand, Type type) {
  Destination d;
  if (operand.kind == Operand::Kind::Pair) {
    d.value = l.write(operand.elements.at(0), type);
    d.predicate = l.write(operand.elements.at(1), Type::Pred);
  } else {
    d.value = l.write(operand, type);
  }
  return d;
}

std::string_view one_of(const ptx::Instruction& in, std::initializer_list<std::string_view> names) {
  for (std::string_view name : names)
    if (in.has(name)) return name;
  return {};
}

void need(Lowering& l, const ptx::Instruction& in, size_t operands) {
  if (!in.has("sync")) l.unsupported(in, "only the .sync form exists on this device");
  if (in.operands.size() != operands) l.unsupported(in, "unexpected number of operands");
}

void shfl_rule(Lowering& l, const ptx::Instruction& in) {
  need(l, in, 5);
  const std::string_view mode = one_of(in, {"up", "down", "bfly", "idx"});
  if (mode.empty()) l.unsupported(in, "unknown mode");
  const Ref a = l.read(in.operands[1], Type::B32), b = l.read(in.operands[2], Type::B32);
  const Ref c = l.read(in.operands[3], Type::B32), members = l.read(in.operands[4], Type::B32);
  const Destination d = destination(l, in.operands[0], Type::B32);
  const uint32_t extra = l.refs({members, d.predicate});
  Inst& inst = l.emit(in, l.handler("shfl." + std::string(mode)));
  inst.d = d.value;
  inst.a = a;
  inst.b = b;
  inst.c = c;
  inst.extra = extra;
}

void vote_rule(Lowering& l, const ptx::Instruction& in) {
  need(l, in, 3);
  const std::string_view mode = one_of(in, {"all", "any", "uni", "ballot"});
  if (mode.empty()) l.unsupported(in, "unknown mode");
  Operand predicate = in.operands[1];
  const bool negated = predicate.negated && predicate.kind == Operand::Kind::Register;
  if (negated) predicate.negated = false;
  const Ref a = l.read(predicate, Type::Pred), b = l.read(in.operands[2], Type::B32);
  const Ref d = l.write(in.operands[0], mode == "ballot" ? Type::B32 : Type::Pred);
  Inst& inst = l.emit(in, l.handler("vote." + std::string(mode)));
  inst.d = d;
  inst.a = a;
  inst.b = b;
  if (negated) inst.flags |= kNegate;
}

void match_rule(Lowering& l, const ptx::Instruction& in) {
  need(l, in, 3);
  const std::string_view mode = one_of(in, {"any", "all"});
  const Type type = last_type(in);
  if (mode.empty() || (type != Type::B32 && type != Type::B64)) l.unsupported(in, "unknown form");
  const Ref a = l.read(in.operands[1], type), b = l.read(in.operands[2], Type::B32);
  const Destination d = destination(l, in.operands[0], Type::B32);
  Inst& inst = l.emit(in, l.handler("match." + std::string(mode) + (type == Type::B64 ? ".b64" : ".b32")));
  inst.d = d.value;
  inst.a = a;
  inst.b = b;
  inst.c = d.predicate;
}

void redux_rule(Lowering& l, const ptx::Instruction& in) {
  need(l, in, 3);
  const std::string_view op = one_of(in, {"add", "min", "max", "and", "or", "xor"});
  const Type type = last_type(in);
  const std::string name = "redux." + std::string(op) + "." + type_name(type);
  if (op.empty() || !l.has_handler(name)) l.unsupported(in, "unknown operation or type");
  const Ref a = l.read(in.operands[1], type), b = l.read(in.operands[2], Type::B32);
  const Ref d = l.write(in.operands[0], type);
  Inst& inst = l.emit(in, l.handler(name));
  inst.d = d;
  inst.a = a;
  inst.b = b;
  if (in.has("abs")) inst.flags |= kAbs;
  if (in.has("NaN")) inst.flags |= flag::kNan;
}

void activemask_rule(Lowering& l, const ptx::Instruction& in) {
  const Ref d = l.write(in.operands.at(0), Type::B32);
  l.emit(in, l.handler("activemask")).d = d;
}

void elect_rule(Lowering& l, const ptx::Instruction& in) {
  need(l, in, 2);
  const Ref b = l.read(in.operands[1], Type::B32);
  Destination d = destination(l, in.operands[0], Type::B32);
  if (d.predicate == kNoRef) d.predicate = l.temporary(0);
  Inst& inst = l.emit(in, l.handler("elect"));
  inst.d = d.value;
  inst.b = b;
  inst.c = d.predicate;
}

}  // namespace

// `bar` is the control rules' opcode; they hand its .warp form over to this.
void lower_warp_barrier(Lowering& l, const ptx::Instruction& in) {
  const Ref members = l.read(in.operands.at(0), Type::B32);
  l.emit(in, l.handler("bar.warp")).a = members;
}

void add_collective_rules(RuleMap& rules) {
  rules["shfl"] = shfl_rule;
  rules["vote"] = vote_rule;
  rules["match"] = match_rule;
  rules["redux"] = redux_rule;
  rules["activemask"] = activemask_rule;
  rules["elect"] = elect_rule;
}

}  // namespace vgpu
