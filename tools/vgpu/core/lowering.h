// What a lowering rule sees: operands become Refs, handlers are found by name, instructions are emitted.
//
// A rule is a plain function registered under an opcode (add_*_rules below); it is compiled once, without
// SIMD flags. The handlers it names are compiled once per instruction set (ops/handler_table.h).
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/program.h"

namespace vgpu {

class Lowering;
using Rule = void (*)(Lowering&, const ptx::Instruction&);
using RuleMap = std::unordered_map<std::string_view, Rule>;

class Lowering {
 public:
  virtual ~Lowering() = default;

  // Ref of a source operand holding values of `type`. Register: its slot (its declared size must be at least
  // the type's; see narrow()). Integer and float literals become constants of the type's size; a Variable
  // becomes its address (see address()); a predicate literal or register a mask. Special registers are read
  // into a temporary, and so is a negated predicate: `!%p` comes back as the inverted mask (clear
  // Operand::negated to do that yourself).
  virtual Ref read(const ptx::Operand& operand, ptx::Type type) = 0;
  // Ref of a destination register; a Sink gets a scratch slot of `type`.
  virtual Ref write(const ptx::Operand& operand, ptx::Type type) = 0;
  // As read(), but where the register is wider than the type (st.u8 from a .b32, cvt.u32.u8 of a .b16) a move
  // that keeps the low bytes is emitted first, so that the Ref holds exactly `type`-sized lanes.
  virtual Ref narrow(const ptx::Operand& operand, ptx::Type type) = 0;
  virtual uint32_t register_size(const ptx::Operand& operand) const = 0;  // bytes a lane; 0 for a predicate
  virtual Ref temporary(uint32_t bytes_per_lane) = 0;                     // bytes 0: a predicate
  virtual Ref constant(uint64_t bits, uint32_t bytes_per_lane) = 0;       // the value 32 times
  virtual Ref predicate_constant(uint32_t mask) = 0;

  // Address operand [base + offset]: `base` is a Ref of 64-bit (or, where is32, 32-bit) lanes, `offset` goes
  // to Inst::imm. Base variables are resolved: global and const to host addresses, shared and local to their
  // offsets within the space, kernel parameters to offsets into the argument buffer.
  struct Address {
    Ref base = kNoRef;  // kNoRef: the address is `offset` alone, the same for every lane
    bool is32 = false;
    int64_t offset = 0;
    ptx::Space space = ptx::Space::None;  // the variable's, where the base is one
    const ParamSlot* param = nullptr;     // a device function's .param: lane-major area in the window
  };
  virtual Address address(const ptx::Operand& operand) = 0;
  // The lane-major area of a `.param` variable of the running function or its body; kNoRef for any other
  // variable.
  virtual Ref param_area(const ptx::Variable* variable, uint32_t& stride) = 0;

  // Labels become pcs once every function has been lowered: inst.imm is filled in then, and so is the table
  // of a
  // `.branchtargets` label, whose index into Program::tables branch_table() returns. `label` is
  // Operand::index.
  virtual void branch_target(Inst& inst, int32_t label) = 0;
  virtual int64_t branch_table(int32_t label) = 0;

  virtual Handler handler(std::string_view name) const = 0;  // throws Unsupported when no such handler exists
  virtual bool has_handler(std::string_view name) const = 0;
  virtual Inst& emit(const ptx::Instruction& source, Handler run) = 0;  // guard and source are filled in
  virtual uint32_t refs(const std::vector<Ref>& list) = 0;  // into Program::refs; returns the index
  virtual Program& program() = 0;
  virtual FunctionCode& function() = 0;
  virtual const ptx::Function& ptx_function() const = 0;
  [[noreturn]] virtual void unsupported(const ptx::Instruction& source, const std::string& why) = 0;
};

// Modifier helpers shared by the rules.
ptx::Type last_type(const ptx::Instruction& instruction);              // the last modifier that is a type
std::vector<ptx::Type> types_of(const ptx::Instruction& instruction);  // all of them, in order
uint16_t arithmetic_flags(const ptx::Instruction& instruction);        // rounding, ftz, sat, relu, NaN
const char* type_name(ptx::Type type);                                 // "f32"

// `bar.warp.sync`: a collective under the control rules' opcode `bar`.
void lower_warp_barrier(Lowering& lowering, const ptx::Instruction& instruction);

// One per family, in ops/*_rules.cpp.
void add_integer_rules(
    RuleMap& rules);                   // integer arithmetic and logic, shifts, bit fields, carry, video-free
void add_float_rules(RuleMap& rules);  // f32, f64, f16, bf16, packed; min/max, fma, div, sqrt, ex2 ...
// The float rules share opcodes (add, min, neg ...) with the integer rules and are added after them: what has
// no floating type goes on to the rule that was registered before.
void add_convert_rules(RuleMap& rules);     // cvt, mov (vectors too), setp, set, selp, slct
void add_memory_rules(RuleMap& rules);      // ld, st, atom, red, cvta, isspacep, prefetch, fence, alloca ...
void add_collective_rules(RuleMap& rules);  // shfl, vote, match, redux, activemask, elect, bar.warp.sync
void add_tensor_rules(RuleMap& rules);      // mma, ldmatrix, stmatrix, movmatrix, wmma
void add_async_rules(RuleMap& rules);       // cp.async and its groups, mbarrier, names of what is unsupported
void add_control_rules(RuleMap& rules);     // bra, brx, call, ret, exit, trap, bar, barrier, nanosleep

}  // namespace vgpu
