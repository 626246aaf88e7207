// Lowering of one function: the Lowering that rules see, over slots that regalloc has given out.
#pragma once

#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/layout.h"
#include "core/lowering.h"
#include "core/regalloc.h"

namespace vgpu {

// Immediates of the whole program, each once.
class ConstantPool {
 public:
  explicit ConstantPool(Program& program) : program_(program) {}
  Ref value(uint64_t bits, uint32_t bytes_per_lane);
  Ref mask(uint32_t mask);

 private:
  Ref append(const void* element, uint32_t bytes, uint32_t count);

  struct Key {
    uint64_t bits;
    uint32_t bytes;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    size_t operator()(const Key& key) const { return (key.bits * 0x9E3779B97F4A7C15ull) ^ key.bytes; }
  };
  Program& program_;
  std::unordered_map<Key, Ref, Hash> known_;
};

class FunctionLowering final : public Lowering {
 public:
  // Gives out the window: registers, parameters, call areas. Callers of the function need no more than that,
  // so that every function is prepared before the first one is lowered.
  FunctionLowering(Program& program, FunctionCode& code, const Layout& layout, ConstantPool& constants);
  void lower_body(const RuleMap& rules);

  Ref read(const ptx::Operand& operand, ptx::Type type) override;
  Ref write(const ptx::Operand& operand, ptx::Type type) override;
  Ref narrow(const ptx::Operand& operand, ptx::Type type) override;
  uint32_t register_size(const ptx::Operand& operand) const override;
  Ref temporary(uint32_t bytes_per_lane) override;
  Ref constant(uint64_t bits, uint32_t bytes_per_lane) override;
  Ref predicate_constant(uint32_t mask) override;
  Address address(const ptx::Operand& operand) override;
  Ref param_area(const ptx::Variable* variable, uint32_t& stride) override;
  void branch_target(Inst& inst, int32_t label) override;
  int64_t branch_table(int32_t label) override;
  Handler handler(std::string_view name) const override;
  bool has_handler(std::string_view name) const override;
  Inst& emit(const ptx::Instruction& source, Handler run) override;
  uint32_t refs(const std::vector<Ref>& list) override;
  Program& program() override { return program_; }
  FunctionCode& function() override { return code_; }
  const ptx::Function& ptx_function() const override { return fn_; }
  [[noreturn]] void unsupported(const ptx::Instruction& source, const std::string& why) override;

 private:
  struct BranchFixUp {
    size_t at;  // index into Program::code
    int32_t label;
  };
  struct TableFixUp {
    size_t table;  // index into Program::tables
    int32_t label;
  };

  void place_parameters();
  void place_call_areas();
  void lower_instruction(const RuleMap& rules, const ptx::Instruction& in);
  void protect_guard(const ptx::Instruction& in);
  void finish();
  Ref slot_of(const ptx::Operand& operand) const;
  Ref read_register(const ptx::Operand& operand, ptx::Type type);
  Ref read_literal(const ptx::Operand& operand, ptx::Type type);
  Ref read_special(const ptx::Operand& operand, ptx::Type type);
  Ref read_variable(const ptx::Operand& operand, ptx::Type type);
  Ref computed(Handler run, uint32_t bytes, int64_t imm);
  [[noreturn]] void unsupported(const std::string& why) { unsupported(*current_, why); }

  Program& program_;
  FunctionCode& code_;
  const ptx::Function& fn_;
  const Layout& layout_;
  ConstantPool& constants_;

  RegisterAllocation registers_;
  std::unordered_map<const ptx::Variable*, const ParamSlot*> slots_;
  std::deque<ParamSlot> call_areas_;
  struct TemporaryClass {
    std::vector<Ref> made;
    size_t used = 0;
  };
  std::unordered_map<uint32_t, TemporaryClass> temporaries_;  // by bytes a lane; reused by every instruction

  const ptx::Instruction* current_ = nullptr;
  Ref guard_ = kNoRef;
  std::vector<uint32_t> pc_of_;  // by index of the PTX instruction
  std::vector<BranchFixUp> branches_;
  std::vector<TableFixUp> tables_;
  std::vector<Mention> mentions_;
};

}  // namespace vgpu
