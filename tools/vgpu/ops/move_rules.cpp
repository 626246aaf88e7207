// Lowering of mov: registers, constants, addresses and special registers alike, and packing and unpacking of
// vectors.
#include <vector>

#include "ops/rule_support.h"

namespace vgpu {
namespace {

using ptx::Operand;
using rule::Type;

std::string vector_name(const char* what, uint32_t whole, uint32_t part) {
  return std::string(what) + "." + rule::bits_name(whole) + "." + rule::bits_name(part);
}

void lower_unpack(Lowering& lowering, const ptx::Instruction& in, Type type) {
  const std::vector<Operand>& parts = in.operands[0].elements;
  const uint32_t bytes = size_of(type) / static_cast<uint32_t>(parts.size());
  const Ref whole = lowering.read(in.operands[1], type);
  std::vector<Ref> refs;
  for (const Operand& part : parts) {
    const bool wanted = part.kind != Operand::Kind::Sink;
    refs.push_back(wanted ? lowering.write(part, rule::bits_type(bytes)) : kNoRef);
  }
  const uint32_t extra = lowering.refs(refs);
  rule::emit(lowering, in, vector_name("unpack", size_of(type), bytes), kNoRef, {whole}).extra = extra;
}

void lower_pack(Lowering& lowering, const ptx::Instruction& in, Type type) {
  const std::vector<Operand>& parts = in.operands[1].elements;
  const uint32_t bytes = size_of(type) / static_cast<uint32_t>(parts.size());
  std::vector<Ref> refs;
  for (const Operand& part : parts) refs.push_back(lowering.narrow(part, rule::bits_type(bytes)));
  const Ref d = lowering.write(in.operands[0], type);
  const uint32_t extra = lowering.refs(refs);
  rule::emit(lowering, in, vector_name("pack", size_of(type), bytes), d, {}).extra = extra;
}

void lower_mov(Lowering& lowering, const ptx::Instruction& in) {
  const Type type = last_type(in);
  if (in.operands.size() != 2) lowering.unsupported(in, "two operands are needed");
  const bool unpacks = in.operands[0].kind == Operand::Kind::Vector;
  const bool packs = in.operands[1].kind == Operand::Kind::Vector;
  if (unpacks && packs) lowering.unsupported(in, "one side must be a single register");
  if (unpacks) return lower_unpack(lowering, in, type);
  if (packs) return lower_pack(lowering, in, type);
  const Ref source = lowering.read(in.operands[1], type);
  const Ref d = lowering.write(in.operands[0], type);
  rule::emit(lowering, in, type == Type::Pred ? "mov.pred" : "mov." + rule::bits_name(type), d, {source});
}

}  // namespace

void add_move_rules(RuleMap& rules) {
  rules["mov"] = lower_mov;
}

}  // namespace vgpu
