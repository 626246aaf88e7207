// The parser's state: one object per text, its methods spread over parse_*.cpp by what they parse.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "ptx/module.h"
#include "ptx/scanner.h"

namespace vgpu::ptx {

class Parser {
 public:
  explicit Parser(std::string text);
  std::unique_ptr<Module> run();

 private:
  // What a name stands for.
  struct Symbol {
    enum class Kind : uint8_t { None, Register, RegisterVector, Variable, Function } kind = Kind::None;
    int32_t index = -1;  // register; the first one of a vector
    uint8_t width = 0;   // registers of a vector
    const Variable* variable = nullptr;
  };
  // `.reg .b32 %r<100>;` makes a register only when one of the names is first used.
  struct Range {
    std::string_view prefix;
    uint32_t count = 0;
    Type type = Type::None;
  };
  struct Scope {
    int32_t parent = -1;
    std::unordered_map<std::string_view, Symbol> symbols;
    std::vector<Range> ranges;
    std::unordered_map<std::string_view, int32_t> labels;
  };
  // Labels may be used before they appear: such operands and lists are looked up once the function has ended.
  struct PendingOperands {
    size_t instruction = 0;
    int32_t scope = -1;
    size_t position = 0;
  };
  struct PendingTargets {
    int32_t label = -1;
    int32_t scope = -1;
    std::vector<std::string_view> names;
  };
  struct Linkage {
    bool is_extern = false;
    bool any = false;
  };
  // What `.align 4 .v2 .f32` and its like said ahead of a variable's name.
  struct Declaration {
    Type type = Type::None;
    uint32_t alignment = 0;
    uint32_t width = 1;
    bool managed = false;
  };

  // parse_module.cpp
  void module_statement();
  void header_statement(std::string_view word);
  void alias();
  void function(bool entry);
  void parameters(std::deque<Variable>& list);
  void function_directives(Function& fn);
  void tuning_directive(Function& fn, std::string_view word);
  Function& function_named(std::string_view name);

  // parse_variable.cpp
  static Space space_named(std::string_view word);
  void module_variables(Space space, const Linkage& linkage);
  void body_variables(Space space);
  Declaration declaration();
  void declare_attribute(Declaration& d, std::string_view word);
  Variable declarator(const Declaration& d, Space space, std::string_view name);
  void initialiser(Variable& variable, const Declaration& d);
  void initial_elements(Variable& variable, const Declaration& d, uint64_t& at);
  void initial_value(Variable& variable, Type type, uint64_t at);
  Relocation initial_symbol(uint64_t at, Type type);
  void registers();

  // parse_body.cpp
  void body(Function& fn);
  void statement();
  void body_directive();
  void open_scope();
  void label(std::string_view name, size_t at);
  void label_directive(int32_t label, size_t at);
  void prototype(Label& label);
  void instruction(size_t begin);
  void resolve_pending();
  int32_t find_label(std::string_view name, int32_t scope) const;

  // parse_operand.cpp
  Operand operand();
  Operand named_operand();
  Operand address_operand();
  Operand vector_operand();
  Operand list_operand();
  Operand literal_operand();
  Operand symbol_operand(std::string_view name);
  Operand register_operand(int32_t index) const;
  Symbol find_symbol(std::string_view name);
  Symbol find_in_ranges(Scope& scope, std::string_view name);
  bool is_special(std::string_view name) const;
  void component(Operand& operand);
  void subscript(Operand& operand);

  // parse_debug.cpp
  void file_directive();
  void location_directive();
  int32_t find_location(int32_t file, int32_t line, int32_t column);
  void section();
  void debug_strings();
  void name_inlined_functions();

  Scanner scan_;
  std::unique_ptr<Module> module_;
  std::unordered_map<std::string_view, Symbol> globals_;
  std::unordered_map<std::string_view, Function*> functions_;

  Function* fn_ = nullptr;  // the function whose body is read
  std::deque<Scope> scopes_;
  int32_t scope_ = -1;
  std::vector<PendingOperands> pending_operands_;
  std::vector<PendingTargets> pending_targets_;
  bool pending_ = false;  // the statement at hand used a name nobody has declared yet
  int32_t location_ = -1;
  std::string_view opcode_;

  std::map<std::tuple<int32_t, int32_t, int32_t>, int32_t> location_of_;  // file, line, column
  struct InlinedName {
    int32_t location = 0;
    std::string_view label;
    int64_t offset = 0;
  };
  std::vector<InlinedName> inlined_names_;
  std::string debug_string_bytes_;
  std::unordered_map<std::string_view, size_t> debug_string_labels_;
};

}  // namespace vgpu::ptx
