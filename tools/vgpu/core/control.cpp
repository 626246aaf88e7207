// Control flow: branches, calls, returns, exits, traps, block barriers. Rules and handlers in one place,
// compiled once.
#include <string>

#include "core/barrier.h"
#include "core/builtins.h"
#include "core/fragments.h"
#include "core/lowering.h"
#include "core/observe.h"

namespace vgpu {

void lower_warp_barrier(Lowering& lowering, const ptx::Instruction& source);  // ops/collective_rules.cpp

namespace {

using ptx::Operand;
using Kind = ptx::Operand::Kind;

void observe_branch(Warp& w, const Inst& inst, bool diverged) {
  if (w.block->launch->observer != nullptr) w.block->launch->observer->branch(w, inst, diverged);
}

Status branch(Warp& w, const Inst& inst) {
  const uint32_t target = static_cast<uint32_t>(inst.imm);
  const bool diverged = w.exec != w.active;
  observe_branch(w, inst, diverged);
  if (!diverged) {
    w.pc = target;
    // A jump back may lead past the place where other lanes of the warp wait.
    return w.lanes->list.size() == 1 ? Status::Branched : Status::Jumped;
  }
  split_off(w, w.active & ~w.exec, w.pc + 1);
  w.pc = target;
  return Status::Jumped;
}

Status branch_indexed(Warp& w, const Inst& inst) {
  leave_others_behind(w);
  const std::vector<uint32_t>& table = w.block->launch->program->tables[static_cast<size_t>(inst.imm)];
  const uint32_t* index = lanes<uint32_t>(w, inst.a);
  uint32_t rest = w.exec;
  bool diverged = false;
  while (true) {
    const uint32_t lane = first_lane(rest);
    if (index[lane] >= table.size())
      fault(w, inst, 718, lane, "brx.idx: index %u of a table with %zu targets", index[lane], table.size());
    uint32_t same = 0;
    VGPU_FOR_LANES(rest, i) same |= (index[i] == index[lane] ? 1u : 0u) << i;
    if (same == rest) {  // the last group stays the running fragment
      observe_branch(w, inst, diverged);
      w.pc = table[index[lane]];
      return Status::Jumped;
    }
    diverged = true;
    split_off(w, same, table[index[lane]]);
    rest &= ~same;
  }
}

Status call_direct(Warp& w, const Inst& inst) {
  enter_function(w, inst, *w.block->launch->program->functions[static_cast<size_t>(inst.imm)]);
  return Status::Jumped;
}

Status call_indirect(Warp& w, const Inst& inst) {
  leave_others_behind(w);
  const uint64_t* target = lanes<uint64_t>(w, inst.a);
  const uint32_t lane = first_lane(w.exec);
  uint32_t same = 0;
  VGPU_FOR_LANES(w.exec, i) same |= (target[i] == target[lane] ? 1u : 0u) << i;
  if (same != w.exec) {  // the others come to this instruction again
    split_off(w, w.exec & ~same, w.pc);
    w.exec = same;
  }
  const FunctionCode* callee = w.block->launch->program->function_at(target[lane]);
  if (callee == nullptr || callee->function->entry || !callee->function->defined)
    fault(w, inst, 718, lane, "call of 0x%llx, which is no function",
          static_cast<unsigned long long>(target[lane]));
  enter_function(w, inst, *callee);
  return Status::Jumped;
}

Status call_missing(Warp& w, const Inst& inst) {
  fault(w, inst, 719, first_lane(w.exec), "call of a function that no module defines");
}

Status exit_lanes(Warp& w, const Inst&) {
  const uint32_t leaving = w.exec;
  Block& block = *w.block;
  const bool somebody_left = (w.active & ~leaving) != 0;
  retire(w, leaving);
  recheck_barriers(block);
  if (somebody_left) ++w.pc;
  return Status::Jumped;
}

Status return_lanes(Warp& w, const Inst& inst) {
  if (w.lanes->frames[running(w).frame].depth == 0) return exit_lanes(w, inst);
  leave_function(w);
  return Status::Jumped;
}

Status trap(Warp& w, const Inst& inst) {
  fault(w, inst, 719, first_lane(w.exec), "trap");
}

Status yield(Warp&, const Inst&) {
  return Status::Yield;
}

Status nothing(Warp&, const Inst&) {
  return Status::Next;
}

void rule_bra(Lowering& l, const ptx::Instruction& in) {
  Inst& inst = l.emit(in, branch);
  l.branch_target(inst, in.operands.at(0).index);
}

void rule_brx(Lowering& l, const ptx::Instruction& in) {
  if (!in.has("idx")) l.unsupported(in, "only brx.idx");
  const Ref index = l.read(in.operands.at(0), ptx::Type::U32);
  const int64_t table = l.branch_table(in.operands.at(1).index);
  Inst& inst = l.emit(in, branch_indexed);
  inst.a = index;
  inst.imm = table;
}

void push_area(Lowering& l, const Operand& operand, std::vector<Ref>& refs) {
  uint32_t stride = 0;
  const Ref area = l.param_area(operand.variable, stride);
  refs.push_back(area);
  refs.push_back(stride);
}

void rule_call(Lowering& l, const ptx::Instruction& in) {
  size_t next = 0;
  std::vector<Ref> refs;
  if (in.operands.at(0).kind == Kind::List) {
    if (in.operands[0].elements.size() > 1) l.unsupported(in, "more than one return value");
    next = 1;
  }
  if (next == 1 && !in.operands[0].elements.empty()) {
    push_area(l, in.operands[0].elements[0], refs);
  } else {
    refs = {kNoRef, 0};
  }
  const Operand& target = in.operands.at(next++);
  uint8_t arguments = 0;
  if (next < in.operands.size() && in.operands[next].kind == Kind::List) {
    for (const Operand& argument : in.operands[next].elements) push_area(l, argument, refs);
    arguments = static_cast<uint8_t>(in.operands[next].elements.size());
  }
  const uint32_t extra = l.refs(refs);
  Handler run = call_missing;
  Ref address = kNoRef;
  int64_t index = 0;
  if (target.kind == Kind::Function) {
    const auto found = l.program().function_by_name.find(target.name);
    if (found != l.program().function_by_name.end() && found->second->function->defined) {
      run = call_direct;
      while (l.program().functions[static_cast<size_t>(index)].get() != found->second) ++index;
    } else if (Handler builtin = find_builtin(target.name)) {
      run = builtin;
    }
  } else {
    run = call_indirect;
    address = l.read(target, ptx::Type::U64);
  }
  Inst& inst = l.emit(in, run);
  inst.a = address;
  inst.imm = index;
  inst.extra = extra;
  inst.count = arguments;
}

void rule_ret(Lowering& l, const ptx::Instruction& in) {
  l.emit(in, return_lanes);
}
void rule_exit(Lowering& l, const ptx::Instruction& in) {
  l.emit(in, exit_lanes);
}
void rule_trap(Lowering& l, const ptx::Instruction& in) {
  l.emit(in, trap);
}
void rule_nanosleep(Lowering& l, const ptx::Instruction& in) {
  l.emit(in, yield);
}
void rule_nothing(Lowering& l, const ptx::Instruction& in) {
  l.emit(in, nothing);
}

// bar{.cta}.sync|arrive|red and barrier{.cta}.sync|arrive|red{.aligned}; `bar` is aligned always.
void rule_barrier(Lowering& l, const ptx::Instruction& in) {
  if (in.has("warp")) return lower_warp_barrier(l, in);
  if (in.has("cluster")) l.unsupported(in, "clusters of blocks");
  uint16_t flags = in.opcode == "bar" || in.has("aligned") ? barrier_flag::kAligned : 0;
  size_t next = 0;
  Ref d = kNoRef, predicate = kNoRef, count = kNoRef;
  if (in.has("red")) {
    const bool counts = in.has("popc");
    flags |= counts          ? barrier_flag::kReduceCount
             : in.has("and") ? barrier_flag::kReduceAll
                             : barrier_flag::kReduceAny;
    d = l.write(in.operands.at(next++), counts ? ptx::Type::U32 : ptx::Type::Pred);
  }
  const Ref number = l.read(in.operands.at(next++), ptx::Type::U32);
  size_t last = in.operands.size();
  if (in.has("red")) {
    Operand source = in.operands.at(--last);
    if (source.negated) flags |= barrier_flag::kNegated;
    source.negated = false;
    predicate = l.read(source, ptx::Type::Pred);
  }
  if (next < last) count = l.read(in.operands[next], ptx::Type::U32);
  Inst& inst = l.emit(in, in.has("arrive") ? barrier_arrive : barrier_sync);
  inst.flags = flags;
  inst.a = number;
  inst.b = count;
  inst.c = predicate;
  inst.d = d;
}

}  // namespace

void add_control_rules(RuleMap& rules) {
  rules["bra"] = rule_bra;
  rules["brx"] = rule_brx;
  rules["call"] = rule_call;
  rules["ret"] = rule_ret;
  rules["exit"] = rule_exit;
  rules["trap"] = rule_trap;
  rules["bar"] = rule_barrier;
  rules["barrier"] = rule_barrier;
  rules["nanosleep"] = rule_nanosleep;
  for (const char* name : {"brkpt", "pmevent", "setmaxnreg", "griddepcontrol"}) rules[name] = rule_nothing;
}

}  // namespace vgpu
