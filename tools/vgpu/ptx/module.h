// A PTX module as the parser leaves it: names resolved, text kept, nothing lowered.
//
// Every string_view points into Module::text or Module::strings, which live as long as the module. Registers,
// labels and variables are resolved to indices or pointers by the parser, nested `{ }` scopes of inline
// assembly included.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ptx/types.h"

namespace vgpu::ptx {

// Where an instruction comes from: `.loc`, with the call chain that inlining left.
struct Location {
  int32_t file = 0;  // index into Module::files
  int32_t line = 0;
  int32_t inlined_at = -1;    // index into Module::locations, -1 for none
  std::string_view function;  // the inlined function's name, or empty
};

struct Relocation {  // the address of another symbol inside an initialiser
  uint64_t offset = 0;
  std::string_view symbol;
  int64_t addend = 0;
  bool generic = false;  // generic(symbol)
  uint8_t bytes = 8;     // bytes of the address that are stored ...
  uint8_t shift = 0;     // ... from this bit on: 0xFF00(symbol) stores one byte with shift 8
};

struct Variable {
  std::string_view name;
  Space space = Space::None;
  Type type = Type::None;
  uint32_t alignment = 1;
  uint64_t size = 0;  // bytes; 0 for `.extern .shared x[]`, which means dynamic shared memory
  bool is_extern = false;
  bool managed = false;
  std::vector<uint8_t> initial;  // shorter than size: the rest is zero
  std::vector<Relocation> relocations;
};

struct Register {
  std::string_view name;
  Type type = Type::None;
};

struct Operand {
  enum class Kind : uint8_t {
    Register,  // index: into Function::registers
    Special,   // name: "%tid.x", "%laneid", "%envreg2", "WARP_SZ" ...
    Integer,   // bits: two's complement, 64 bits
    Float32,   // bits: 0fXXXXXXXX
    Float64,   // bits: 0dXXXXXXXXXXXXXXXX or a decimal literal
    Variable,  // variable + offset
    Function,  // name: a function's name (call target, address of a function)
    Label,     // index: into Function::labels; name is kept for branch tables and prototypes
    Address,   // [base + offset]: elements[0] is Register, Variable or Integer; more elements: tensor
               // coordinates
    Vector,    // {a, b, c, d}
    List,      // (a, b): arguments of a call
    Pair,      // p|q
    Sink,      // _
  };
  Kind kind = Kind::Sink;
  bool negated = false;  // !%p, or -%r
  int32_t index = -1;
  uint64_t bits = 0;
  int64_t offset = 0;
  std::string_view name;
  const Variable* variable = nullptr;
  std::vector<Operand> elements;
};

struct Instruction {
  std::string_view opcode;                  // "ld"
  std::vector<std::string_view> modifiers;  // "global", "v4", "f32", in order
  std::vector<Operand> operands;
  int32_t guard = -1;  // register index of @%p, or -1
  bool guard_negated = false;
  int32_t location = -1;  // index into Module::locations
  std::string_view text;  // the statement as it was written, for reports
  bool has(std::string_view modifier) const {
    for (std::string_view m : modifiers)
      if (m == modifier) return true;
    return false;
  }
};

struct Label {
  std::string_view name;
  uint32_t target = 0;                         // index into Function::instructions
  std::vector<int32_t> branch_targets;         // `.branchtargets`: indices into Function::labels
  std::vector<std::string_view> call_targets;  // `.calltargets`
  bool is_prototype = false;                   // `.callprototype`: returns and params below
  std::vector<Variable> returns, params;
};

struct Function {
  std::string_view name;
  bool entry = false;
  bool defined = false;
  std::deque<Variable> returns, params;  // deque: Operand::variable points into them
  std::deque<Variable> variables;        // .local, .shared and .param of the body
  std::vector<Register> registers;
  std::vector<Label> labels;
  std::vector<Instruction> instructions;
  uint32_t max_threads = 0;  // .maxntid product, 0 when absent
  uint32_t required_threads[3] = {0, 0, 0};
  uint32_t min_blocks = 0;
  uint32_t max_registers = 0;       // .maxnreg, 0 when absent
  uint32_t cluster[3] = {0, 0, 0};  // .reqnctapercluster, 0 when absent
  bool explicit_cluster = false;    // .explicitcluster: may be launched with cluster dimensions alone
};

struct Module {
  std::string text;                  // owns the characters every view points at
  std::string_view version, target;  // "9.0", "sm_80"
  std::vector<std::string> files;    // `.file`, by number
  std::vector<Location> locations;
  std::deque<Variable> variables;  // module scope
  std::deque<Function> functions;
  std::vector<std::pair<std::string_view, std::string_view>> aliases;  // `.alias new, existing;`
  std::deque<std::string>
      strings;  // owns what had to be rewritten: names out of debug sections, joined lines
};

struct SyntaxError {  // thrown by parse()
  int line = 0;
  std::string what;
};

// Parses a whole PTX text. Throws SyntaxError.
std::unique_ptr<Module> parse(std::string text);

}  // namespace vgpu::ptx
