// Operands: registers, literals, addresses, vectors, lists, p|q, and what a name stands for.
#include <algorithm>

#include "ptx/parser.h"

namespace vgpu::ptx {

namespace {

using Kind = Operand::Kind;

// Names that are read-only registers of the machine, without the component behind a dot.
constexpr std::string_view kSpecialNames[] = {"%tid",
                                              "%ntid",
                                              "%laneid",
                                              "%warpid",
                                              "%nwarpid",
                                              "%ctaid",
                                              "%nctaid",
                                              "%smid",
                                              "%nsmid",
                                              "%gridid",
                                              "%is_explicit_cluster",
                                              "%clusterid",
                                              "%nclusterid",
                                              "%cluster_ctaid",
                                              "%cluster_nctaid",
                                              "%cluster_ctarank",
                                              "%cluster_nctarank",
                                              "%lanemask_eq",
                                              "%lanemask_le",
                                              "%lanemask_lt",
                                              "%lanemask_ge",
                                              "%lanemask_gt",
                                              "%clock",
                                              "%clock_hi",
                                              "%clock64",
                                              "%globaltimer",
                                              "%globaltimer_lo",
                                              "%globaltimer_hi",
                                              "%reserved_smem_offset_begin",
                                              "%reserved_smem_offset_end",
                                              "%reserved_smem_offset_cap",
                                              "%reserved_smem_offset_0",
                                              "%reserved_smem_offset_1",
                                              "%total_smem_size",
                                              "%aggr_smem_size",
                                              "%dynamic_smem_size",
                                              "%current_graph_exec"};

int component_index(char c) {
  switch (c) {
    case 'x':
    case 'r':
      return 0;
    case 'y':
    case 'g':
      return 1;
    case 'z':
    case 'b':
      return 2;
    case 'w':
    case 'a':
      return 3;
    default:
      return -1;
  }
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

}  // namespace

Operand Parser::operand() {
  switch (scan_.peek()) {
    case '{':
      return vector_operand();
    case '[':
      return address_operand();
    case '!':
    case '-': {
      if (!Scanner::starts_name(scan_.peek_behind(1)) || scan_.peek_behind(1) == 'W')
        return literal_operand();
      scan_.set_position(scan_.position() + 1);
      Operand negated = named_operand();
      negated.negated = true;
      return negated;
    }
    default:
      return scan_.at_name() ? named_operand() : literal_operand();
  }
}

Operand Parser::literal_operand() {
  const char c = scan_.peek();
  if (!is_digit(c) && c != 'W' && c != '-' && c != '+' && c != '~' && c != '!' && c != '(' && c != '.')
    scan_.fail_expected("an operand");
  const Literal literal = scan_.expression();
  Operand result;
  result.kind = !literal.floating ? Kind::Integer : literal.single ? Kind::Float32 : Kind::Float64;
  result.bits = literal.bits;
  return result;
}

Operand Parser::vector_operand() {
  Operand result;
  result.kind = Kind::Vector;
  scan_.expect('{');
  do result.elements.push_back(operand());
  while (scan_.accept(','));
  scan_.expect('}');
  return result;
}

Operand Parser::list_operand() {
  Operand result;
  result.kind = Kind::List;
  scan_.expect('(');
  if (scan_.accept(')')) return result;
  do result.elements.push_back(operand());
  while (scan_.accept(','));
  scan_.expect(')');
  return result;
}

Operand Parser::address_operand() {
  Operand result;
  result.kind = Kind::Address;
  scan_.expect('[');
  result.elements.push_back(operand());
  Operand& base = result.elements[0];
  result.offset = base.offset;  // symbol + 4 has been read with the symbol
  base.offset = 0;
  if (base.kind == Kind::Integer) {
    result.offset += static_cast<int64_t>(base.bits);
    base.bits = 0;
  }
  if (base.kind != Kind::Register && base.kind != Kind::Variable && base.kind != Kind::Integer)
    scan_.fail("expected a register, a variable or a number as the base of an address");
  // "+-4" is what nvcc writes for a negative offset.
  while (scan_.peek() == '+' || scan_.peek() == '-') result.offset += scan_.integer();
  while (scan_.accept(',')) {
    Operand more = operand();
    if (more.kind == Kind::Vector)
      for (Operand& coordinate : more.elements) result.elements.push_back(std::move(coordinate));
    else
      result.elements.push_back(std::move(more));
  }
  scan_.expect(']');
  return result;
}

Operand Parser::named_operand() {
  const size_t at = scan_.position();
  const std::string_view name = scan_.name("an operand");
  Operand result;
  if (name == "_") {
    result.kind = Kind::Sink;
  } else if (name == "WARP_SZ") {
    scan_.set_position(at);
    return literal_operand();
  } else {
    result = symbol_operand(name);
  }
  if (scan_.peek() != '|' || scan_.peek_behind(1) == '|') return result;
  scan_.expect('|');
  Operand pair;
  pair.kind = Kind::Pair;
  pair.elements.push_back(std::move(result));
  scan_.peek();
  const bool negated = scan_.accept('!');
  pair.elements.push_back(operand());
  pair.elements.back().negated |= negated;
  return pair;
}

Operand Parser::register_operand(int32_t index) const {
  Operand result;
  result.kind = Kind::Register;
  result.index = index;
  result.name = fn_->registers[static_cast<size_t>(index)].name;
  return result;
}

Operand Parser::symbol_operand(std::string_view name) {
  const size_t behind = scan_.position();
  const Symbol symbol = find_symbol(name);
  Operand result;
  switch (symbol.kind) {
    case Symbol::Kind::Register:
      return register_operand(symbol.index);
    case Symbol::Kind::RegisterVector:
      result.kind = Kind::Vector;
      for (int32_t i = 0; i < symbol.width; ++i)
        result.elements.push_back(register_operand(symbol.index + i));
      component(result);
      return result;
    case Symbol::Kind::Variable:
      result.kind = Kind::Variable;
      result.name = name;
      result.variable = symbol.variable;
      subscript(result);
      return result;
    case Symbol::Kind::Function:
      result.kind = Kind::Function;
      result.name = name;
      return result;
    case Symbol::Kind::None:
      break;
  }
  result.name = name;
  if (is_special(name)) {
    result.kind = Kind::Special;
    if (scan_.peek_behind(0) == '.') {
      const std::string_view part = scan_.directive();
      if (part.size() != 1 || component_index(part[0]) < 0)
        scan_.fail("expected .x, .y, .z or .w behind `" + std::string(name) + "`");
      result.name = scan_.slice(behind - name.size(), scan_.position());
    }
    return result;
  }
  if (name[0] == '%') scan_.fail_at(behind, "`" + std::string(name) + "` has not been declared");
  result.kind = Kind::Label;
  pending_ = true;
  return result;
}

// v.x of `.reg .v4 .f32 v;`
void Parser::component(Operand& operand) {
  if (scan_.peek_behind(0) != '.') return;
  const std::string_view part = scan_.directive();
  const int index = part.size() == 1 ? component_index(part[0]) : -1;
  if (index < 0 || index >= static_cast<int>(operand.elements.size()))
    scan_.fail("expected a component of a vector, found `." + std::string(part) + "`");
  Operand element = operand.elements[static_cast<size_t>(index)];
  operand = std::move(element);
}

// symbol + 4, symbol[2]
void Parser::subscript(Operand& operand) {
  if (scan_.peek() == '[') {
    scan_.expect('[');
    operand.offset = scan_.integer() * size_of(operand.variable->type);
    scan_.expect(']');
  }
  while (scan_.peek() == '+' || scan_.peek() == '-') operand.offset += scan_.integer();
}

Parser::Symbol Parser::find_in_ranges(Scope& scope, std::string_view name) {
  size_t digits = name.size();
  while (digits > 0 && is_digit(name[digits - 1])) --digits;
  const std::string_view number = name.substr(digits);
  if (number.empty() || number.size() > 9 || (number.size() > 1 && number[0] == '0')) return {};
  uint32_t value = 0;
  for (char c : number) value = value * 10 + static_cast<uint32_t>(c - '0');
  // A prefix may end in digits itself (`t1_<4>` does not, `x1<4>` does): try every split.
  for (const Range& range : scope.ranges) {
    if (name.size() <= range.prefix.size() || name.compare(0, range.prefix.size(), range.prefix) != 0)
      continue;
    if (range.prefix.size() < digits) continue;
    uint32_t index = value;
    if (range.prefix.size() > digits) {
      const std::string_view rest = name.substr(range.prefix.size());
      if (rest.size() > 1 && rest[0] == '0') continue;
      index = 0;
      for (char c : rest) index = index * 10 + static_cast<uint32_t>(c - '0');
    }
    if (index >= range.count) continue;
    Symbol symbol;
    symbol.kind = Symbol::Kind::Register;
    symbol.index = static_cast<int32_t>(fn_->registers.size());
    fn_->registers.push_back({name, range.type});
    scope.symbols[name] = symbol;
    return symbol;
  }
  return {};
}

Parser::Symbol Parser::find_symbol(std::string_view name) {
  for (int32_t s = scope_; s >= 0; s = scopes_[static_cast<size_t>(s)].parent) {
    Scope& scope = scopes_[static_cast<size_t>(s)];
    const auto found = scope.symbols.find(name);
    if (found != scope.symbols.end()) return found->second;
    if (scope.ranges.empty()) continue;
    const Symbol symbol = find_in_ranges(scope, name);
    if (symbol.kind != Symbol::Kind::None) return symbol;
  }
  const auto found = globals_.find(name);
  return found != globals_.end() ? found->second : Symbol{};
}

bool Parser::is_special(std::string_view name) const {
  if (name[0] != '%') return false;
  for (std::string_view known : kSpecialNames)
    if (name == known) return true;
  const auto numbered = [&](std::string_view prefix) {
    return name.size() > prefix.size() && name.compare(0, prefix.size(), prefix) == 0 &&
           is_digit(name[prefix.size()]);
  };
  return numbered("%envreg") || numbered("%pm");
}

}  // namespace vgpu::ptx
