// Lowering of cp.async and mbarrier, and the names of what this device does not have: bulk copies (TMA),
// wgmma, tcgen05 and clusters. Handlers: ops/async_simd.cpp.
#include <string>

#include "core/lowering.h"
#include "ops/address_operand.h"
#include "ops/mbarrier.h"

namespace vgpu {
namespace {

using ptx::Instruction;
using ptx::Operand;
using ptx::Space;
using ptx::Type;

void emit_address(Inst& inst, const AddressOperand& address) {
  inst.a = address.base;
  inst.imm = address.offset;
  inst.flags = address.flags;
}

// cp.async.ca.shared.global [to], [from], bytes{, src-size or ignore-src}{, cache-policy}
void copy_rule(Lowering& l, const Instruction& in) {
  const size_t operands = in.operands.size() - (in.has("L2::cache_hint") ? 1 : 0);
  if (operands < 3 || operands > 4 || in.operands[2].kind != Operand::Kind::Integer)
    l.unsupported(in, "unexpected operands");
  const AddressOperand to = address_operand(l, in.operands[0], Space::Shared);
  const AddressOperand from = address_operand(l, in.operands[1], Space::Global);
  Ref size = kNoRef, ignore = kNoRef;
  if (operands == 4) {
    const Operand& last = in.operands[3];
    const bool is_predicate = last.kind == Operand::Kind::Register && l.register_size(last) == 0;
    (is_predicate ? ignore : size) = l.read(last, is_predicate ? Type::Pred : Type::U32);
  }
  const std::string name = "cp.async." + std::to_string(in.operands[2].bits);
  const uint32_t extra = l.refs({to.base, static_cast<Ref>(to.offset), to.flags, size, ignore});
  Inst& inst = l.emit(in, l.handler(name));
  emit_address(inst, from);
  inst.extra = extra;
}

void late_arrive_rule(Lowering& l, const Instruction& in) {
  const AddressOperand address = address_operand(l, in.operands.at(0), named_space(in));
  Inst& inst = l.emit(in, l.handler("cp.async.mbarrier.arrive"));
  emit_address(inst, address);
  if (in.has("noinc")) inst.count |= mbarrier_flag::kNoIncrement;
}

void cp_rule(Lowering& l, const Instruction& in) {
  if (in.has("bulk")) l.unsupported(in, "bulk asynchronous copies (TMA) are not part of this device");
  if (!in.has("async")) l.unsupported(in, "unknown form");
  if (in.has("mbarrier")) return late_arrive_rule(l, in);
  if (in.has("commit_group")) {
    l.emit(in, l.handler("cp.async.commit_group"));
  } else if (in.has("wait_all")) {
    l.emit(in, l.handler("cp.async.wait_all"));
  } else if (in.has("wait_group")) {
    l.emit(in, l.handler("cp.async.wait_group")).imm = static_cast<int64_t>(in.operands.at(0).bits);
  } else {
    copy_rule(l, in);
  }
}

// The address, and the operand behind it if there is one.
void barrier_operation(Lowering& l, const Instruction& in, const char* handler, size_t at, Type second,
                       uint8_t flags, Ref d) {
  const AddressOperand address = address_operand(l, in.operands.at(at), named_space(in));
  const Ref b = in.operands.size() > at + 1 ? l.read(in.operands[at + 1], second) : kNoRef;
  Inst& inst = l.emit(in, l.handler(handler));
  emit_address(inst, address);
  inst.b = b;
  inst.d = d;
  inst.count = flags;
}

void arrive_rule(Lowering& l, const Instruction& in) {
  uint8_t flags = 0;
  if (in.has("expect_tx")) flags |= mbarrier_flag::kExpect;
  if (in.has("arrive_drop")) flags |= mbarrier_flag::kDrop;
  if (in.has("noComplete")) flags |= mbarrier_flag::kNoComplete;
  const bool has_result = in.operands.at(0).kind != Operand::Kind::Address;
  const Ref d = has_result ? l.write(in.operands[0], Type::B64) : l.temporary(8);
  barrier_operation(l, in, "mbarrier.arrive", has_result ? 1 : 0, Type::U32, flags, d);
}

void mbarrier_rule(Lowering& l, const Instruction& in) {
  const std::string_view what = in.modifiers.empty() ? std::string_view() : in.modifiers[0];
  if (what == "arrive" || what == "arrive_drop") return arrive_rule(l, in);
  if (what == "test_wait" || what == "try_wait") {
    const bool parity = in.has("parity");
    const Ref d = l.write(in.operands.at(0), Type::Pred);
    barrier_operation(l, in, "mbarrier.test_wait", 1, parity ? Type::U32 : Type::B64,
                      parity ? mbarrier_flag::kParity : uint8_t{0}, d);
  } else if (what == "pending_count") {
    const Ref token = l.read(in.operands.at(1), Type::B64), d = l.write(in.operands.at(0), Type::U32);
    Inst& inst = l.emit(in, l.handler("mbarrier.pending_count"));
    inst.b = token;
    inst.d = d;
  } else if (what == "init" || what == "inval" || what == "expect_tx" || what == "complete_tx") {
    barrier_operation(l, in, ("mbarrier." + std::string(what)).c_str(), 0, Type::U32, 0, kNoRef);
  } else {
    l.unsupported(in, "unknown form");
  }
}

// Hints that change nothing here: register counts of warps, and the order of launches, which run one by one.
void no_operation_rule(Lowering& l, const Instruction& in) {
  l.emit(in, l.handler("async.nothing"));
}

void matrix_units_rule(Lowering& l, const Instruction& in) {
  l.unsupported(in, std::string(in.opcode) +
                        " (warpgroup and fifth-generation tensor cores) is not part of this device");
}

void cluster_rule(Lowering& l, const Instruction& in) {
  l.unsupported(in, std::string(in.opcode) + ": clusters of blocks are not part of this device");
}

void bulk_rule(Lowering& l, const Instruction& in) {
  l.unsupported(in,
                std::string(in.opcode) + ": tensor maps and multicast memory are not part of this device");
}

}  // namespace

void add_async_rules(RuleMap& rules) {
  rules["cp"] = cp_rule;
  rules["mbarrier"] = mbarrier_rule;
  rules["setmaxnreg"] = no_operation_rule;
  rules["griddepcontrol"] = no_operation_rule;
  rules["wgmma"] = matrix_units_rule;
  rules["tcgen05"] = matrix_units_rule;
  rules["mapa"] = cluster_rule;
  rules["getctarank"] = cluster_rule;
  rules["clusterlaunchcontrol"] = cluster_rule;
  rules["tensormap"] = bulk_rule;
  rules["multimem"] = bulk_rule;
}

}  // namespace vgpu
