// Function bodies: statements, nested scopes, labels, and the names that are used before they are declared.
#include <algorithm>

#include "ptx/parser.h"

namespace vgpu::ptx {

void Parser::body(Function& fn) {
  fn_ = &fn;
  scopes_.clear();
  pending_operands_.clear();
  pending_targets_.clear();
  location_ = -1;
  scope_ = -1;
  scan_.expect('{');
  open_scope();
  for (auto* list : {&fn.returns, &fn.params}) {
    for (const Variable& v : *list) {
      Symbol& symbol = scopes_[0].symbols[v.name];
      symbol.kind = Symbol::Kind::Variable;
      symbol.variable = &v;
    }
  }
  while (scope_ >= 0) statement();
  resolve_pending();
  fn_ = nullptr;
}

void Parser::open_scope() {
  scopes_.emplace_back().parent = scope_;
  scope_ = static_cast<int32_t>(scopes_.size()) - 1;
}

void Parser::statement() {
  const char c = scan_.peek();
  const size_t begin = scan_.position();
  if (c == '{') {
    scan_.expect('{');
    open_scope();
  } else if (c == '}') {
    scan_.expect('}');
    scope_ = scopes_[static_cast<size_t>(scope_)].parent;
  } else if (c == ';') {
    scan_.expect(';');
  } else if (c == '.') {
    body_directive();
  } else if (c == '@') {
    instruction(begin);
  } else if (scan_.at_name()) {
    const std::string_view name = scan_.name();
    if (scan_.accept(':')) return label(name, begin);
    scan_.set_position(begin);
    instruction(begin);
  } else {
    scan_.fail_expected("an instruction, a label, a declaration or '}'");
  }
}

void Parser::body_directive() {
  const std::string_view word = scan_.directive();
  if (word == "reg") return registers();
  if (word == "loc") return location_directive();
  const Space space = space_named(word);
  if (space != Space::None) return body_variables(space);
  if (word == "pragma") {
    do scan_.quoted();
    while (scan_.accept(','));
    scan_.expect(';');
  } else if (word == "file") {
    file_directive();
  } else if (word == "extern" || word == "visible" || word == "weak") {
    // Says nothing here: the declaration that follows is an ordinary one.
  } else if (word == "section") {
    section();
  } else {
    scan_.fail("expected a directive of a function body, found `." + std::string(word) + "`");
  }
}

void Parser::label(std::string_view name, size_t at) {
  const auto index = static_cast<int32_t>(fn_->labels.size());
  if (!scopes_[static_cast<size_t>(scope_)].labels.try_emplace(name, index).second)
    scan_.fail_at(at, "a second label `" + std::string(name) + "` in one scope");
  Label& fresh = fn_->labels.emplace_back();
  fresh.name = name;
  fresh.target = static_cast<uint32_t>(fn_->instructions.size());
  if (scan_.peek() != '.') return;
  const size_t directive_at = scan_.position();
  const std::string_view word = scan_.directive();
  scan_.set_position(directive_at);
  if (word == "branchtargets" || word == "calltargets" || word == "callprototype")
    label_directive(index, directive_at);
}

void Parser::label_directive(int32_t index, size_t) {
  Label& label = fn_->labels[static_cast<size_t>(index)];
  const std::string_view word = scan_.directive();
  if (word == "callprototype") return prototype(label);
  PendingTargets targets{index, scope_, {}};
  do targets.names.push_back(scan_.name("a name"));
  while (scan_.accept(','));
  scan_.expect(';');
  if (word == "calltargets")
    label.call_targets = std::move(targets.names);
  else
    pending_targets_.push_back(std::move(targets));
}

void Parser::prototype(Label& label) {
  label.is_prototype = true;
  std::deque<Variable> list;
  if (scan_.peek() == '(') parameters(list);
  label.returns.assign(list.begin(), list.end());
  scan_.name("_");
  list.clear();
  if (scan_.peek() == '(') parameters(list);
  label.params.assign(list.begin(), list.end());
  Function ignored;
  function_directives(ignored);
  scan_.expect(';');
}

void Parser::instruction(size_t begin) {
  Instruction& in = fn_->instructions.emplace_back();
  in.location = location_;
  if (scan_.accept('@')) {
    in.guard_negated = scan_.accept('!');
    const size_t at = (scan_.peek(), scan_.position());
    const std::string_view name = scan_.name("a predicate");
    const Symbol symbol = find_symbol(name);
    if (symbol.kind != Symbol::Kind::Register ||
        fn_->registers[static_cast<size_t>(symbol.index)].type != Type::Pred)
      scan_.fail_at(at, "`" + std::string(name) + "` is not a predicate register");
    in.guard = symbol.index;
  }
  in.opcode = opcode_ = scan_.name("an opcode");
  while (scan_.peek() == '.') in.modifiers.push_back(scan_.directive());

  pending_ = false;
  if (scan_.peek() != ';') {
    const bool call = opcode_ == "call";
    do in.operands.push_back(call && scan_.peek() == '(' ? list_operand() : operand());
    while (scan_.accept(','));
  }
  const size_t end = scan_.position();
  scan_.expect(';');
  if (pending_) pending_operands_.push_back({fn_->instructions.size() - 1, scope_, begin});

  in.text = scan_.slice(begin, end);
  while (!in.text.empty() && in.text.back() == ' ') in.text.remove_suffix(1);
  if (in.text.find('\n') == std::string_view::npos) return;
  std::string& joined = module_->strings.emplace_back();
  for (char c : in.text) {
    const bool blank = c == ' ' || c == '\n' || c == '\r';
    if (!blank) joined += c;
    if (blank && !joined.empty() && joined.back() != ' ') joined += ' ';
  }
  in.text = joined;
}

int32_t Parser::find_label(std::string_view name, int32_t scope) const {
  for (; scope >= 0; scope = scopes_[static_cast<size_t>(scope)].parent) {
    const auto& labels = scopes_[static_cast<size_t>(scope)].labels;
    const auto found = labels.find(name);
    if (found != labels.end()) return found->second;
  }
  return -1;
}

void Parser::resolve_pending() {
  for (const PendingOperands& pending : pending_operands_) {
    for (Operand& operand : fn_->instructions[pending.instruction].operands) {
      if (operand.kind != Operand::Kind::Label || operand.index >= 0) continue;
      operand.index = find_label(operand.name, pending.scope);
      if (operand.index < 0)
        scan_.fail_at(pending.position, "`" + std::string(operand.name) + "` has not been declared");
    }
  }
  for (const PendingTargets& pending : pending_targets_) {
    Label& label = fn_->labels[static_cast<size_t>(pending.label)];
    for (std::string_view name : pending.names) {
      const int32_t target = find_label(name, pending.scope);
      if (target < 0) scan_.fail("`" + std::string(name) + "` is not a label");
      label.branch_targets.push_back(target);
    }
  }
}

}  // namespace vgpu::ptx
