// A function's frame and its instructions, one rule after the other. How operands become Refs:
// lowering_operands.cpp.
#include "core/lowering_impl.h"

#include <algorithm>
#include <stdexcept>

#include "core/special.h"

namespace vgpu {

namespace {

uint32_t round_up(uint64_t value, uint32_t unit) {
  return static_cast<uint32_t>((value + unit - 1) / unit * unit);
}

// Control that runs off a function's end returns.
const ptx::Instruction& implicit_return() {
  static const ptx::Instruction instruction = [] {
    ptx::Instruction in;
    in.opcode = "ret";
    in.text = "ret";
    return in;
  }();
  return instruction;
}

ParamSlot slot_for(const ptx::Variable& variable) {
  ParamSlot slot;
  slot.variable = &variable;
  slot.stride = round_up(std::max<uint64_t>(variable.size, 1), 16);
  return slot;
}

}  // namespace

FunctionLowering::FunctionLowering(Program& program, FunctionCode& code, const Layout& layout,
                                   ConstantPool& constants)
    : program_(program), code_(code), fn_(*code.function), layout_(layout), constants_(constants) {
  registers_ = allocate_registers(fn_);
  code_.window_bytes = registers_.bytes;
  code_.register_estimate = registers_.estimated_registers;
  if (fn_.max_registers != 0) code_.register_estimate = std::min(code_.register_estimate, fn_.max_registers);
  // Launch bounds are a promise of the compiler's that a block of that size fits.
  if (fn_.max_threads != 0)
    code_.register_estimate = std::min(code_.register_estimate, std::max(65536u / fn_.max_threads, 16u));
  place_parameters();
  place_call_areas();
}

void FunctionLowering::place_parameters() {
  if (fn_.entry) return;
  const auto place = [&](const std::deque<ptx::Variable>& variables, std::vector<ParamSlot>& slots) {
    for (const ptx::Variable& v : variables) {
      ParamSlot slot = slot_for(v);
      slot.area = code_.window_bytes;
      code_.window_bytes += slot.stride * kLanes;
      slots.push_back(slot);
    }
    for (const ParamSlot& slot : slots) slots_[slot.variable] = &slot;
  };
  place(fn_.params, code_.params);
  place(fn_.returns, code_.returns);
}

void FunctionLowering::place_call_areas() {
  std::unordered_map<const ptx::Variable*, size_t> index_of;
  std::vector<Area> areas;
  for (const ptx::Variable& v : fn_.variables) {
    if (v.space != ptx::Space::Param) continue;
    index_of[&v] = areas.size();
    call_areas_.push_back(slot_for(v));
    areas.push_back({{}, call_areas_.back().stride * kLanes});
  }
  if (areas.empty()) return;
  const auto mention = [&](const auto& self, const ptx::Operand& operand, int32_t at) -> void {
    if (operand.variable != nullptr) {
      const auto found = index_of.find(operand.variable);
      if (found != index_of.end()) areas[found->second].life.include(at);
    }
    for (const ptx::Operand& element : operand.elements) self(self, element, at);
  };
  for (size_t i = 0; i < fn_.instructions.size(); ++i)
    for (const ptx::Operand& operand : fn_.instructions[i].operands)
      mention(mention, operand, static_cast<int32_t>(i));

  const AreaAllocation placed = allocate_areas(areas);
  for (size_t i = 0; i < areas.size(); ++i) {
    call_areas_[i].area = code_.window_bytes + placed.offset[i];
    slots_[call_areas_[i].variable] = &call_areas_[i];
  }
  code_.window_bytes += placed.bytes;
}

void FunctionLowering::lower_body(const RuleMap& rules) {
  code_.entry_pc = static_cast<uint32_t>(program_.code.size());
  pc_of_.reserve(fn_.instructions.size() + 1);
  for (const ptx::Instruction& in : fn_.instructions) {
    pc_of_.push_back(static_cast<uint32_t>(program_.code.size()));
    lower_instruction(rules, in);
  }
  pc_of_.push_back(static_cast<uint32_t>(program_.code.size()));
  lower_instruction(rules, implicit_return());
  code_.end_pc = static_cast<uint32_t>(program_.code.size());
  code_.window_bytes = round_up(code_.window_bytes, 64);
  finish();
}

void FunctionLowering::lower_instruction(const RuleMap& rules, const ptx::Instruction& in) {
  current_ = &in;
  guard_ = in.guard >= 0 ? registers_.slot[static_cast<size_t>(in.guard)] : kNoRef;
  for (auto& [bytes, temporaries] : temporaries_) temporaries.used = 0;
  program_.sources.push_back({&in, &fn_});

  const size_t code_before = program_.code.size(), refs_before = program_.refs.size();
  const size_t branches_before = branches_.size();
  std::string why;
  try {
    const auto rule = rules.find(in.opcode);
    if (rule == rules.end()) unsupported("no such opcode here");
    protect_guard(in);
    return rule->second(*this, in);
  } catch (const Unsupported& failure) {
    why = failure.what;
  } catch (const std::out_of_range&) {
    why = "unsupported instruction: too few operands";
  }
  program_.code.resize(code_before);
  program_.refs.resize(refs_before);
  branches_.resize(branches_before);
  guard_ = in.guard >= 0 ? registers_.slot[static_cast<size_t>(in.guard)] : kNoRef;
  emit(in, run_unsupported).imm = static_cast<int64_t>(program_.messages.size());
  program_.messages.push_back(std::move(why));
}

// `@%p setp... %p`: a rule may emit several instructions, and the first would change the guard of the others.
void FunctionLowering::protect_guard(const ptx::Instruction& in) {
  if (in.guard < 0) return;
  mentions_of(in, mentions_);
  const bool writes_guard = std::any_of(mentions_.begin(), mentions_.end(),
                                        [&](const Mention& m) { return m.writes && m.reg == in.guard; });
  if (!writes_guard) return;
  const Ref guard = guard_;
  guard_ = kNoRef;
  const Ref copy = temporary(0);
  Inst& inst = emit(in, run_copy_mask);
  inst.d = copy;
  inst.a = guard;
  guard_ = copy;
}

void FunctionLowering::finish() {
  const auto pc_of_label = [&](int32_t label) {
    return pc_of_[fn_.labels[static_cast<size_t>(label)].target];
  };
  for (const BranchFixUp& branch : branches_) program_.code[branch.at].imm = pc_of_label(branch.label);
  for (const TableFixUp& fix_up : tables_)
    for (int32_t target : fn_.labels[static_cast<size_t>(fix_up.label)].branch_targets)
      program_.tables[fix_up.table].push_back(pc_of_label(target));
}

Inst& FunctionLowering::emit(const ptx::Instruction& source, Handler run) {
  Inst& inst = program_.code.emplace_back();
  inst.run = run;
  inst.guard = guard_;
  inst.guard_negated = guard_ != kNoRef && source.guard_negated;
  inst.source = static_cast<uint32_t>(program_.sources.size()) - 1;
  return inst;
}

uint32_t FunctionLowering::refs(const std::vector<Ref>& list) {
  const auto index = static_cast<uint32_t>(program_.refs.size());
  program_.refs.insert(program_.refs.end(), list.begin(), list.end());
  return index;
}

void FunctionLowering::branch_target(Inst& inst, int32_t label) {
  if (label < 0) unsupported("a branch to something that is no label");
  branches_.push_back({static_cast<size_t>(&inst - program_.code.data()), label});
}

int64_t FunctionLowering::branch_table(int32_t label) {
  if (label < 0) unsupported("a branch table that is no label");
  tables_.push_back({program_.tables.size(), label});
  program_.tables.emplace_back();
  return static_cast<int64_t>(program_.tables.size()) - 1;
}

Ref FunctionLowering::param_area(const ptx::Variable* variable, uint32_t& stride) {
  stride = 0;
  if (variable == nullptr) unsupported("arguments that are no .param variables");
  const auto found = slots_.find(variable);
  if (found == slots_.end()) return kNoRef;
  stride = found->second->stride;
  return found->second->area;
}

// The report that ends up with these words shows the instruction behind them.
void FunctionLowering::unsupported(const ptx::Instruction&, const std::string& why) {
  throw Unsupported{"unsupported instruction: " + why};
}

}  // namespace vgpu
