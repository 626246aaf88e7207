// Declarations: variables of every state space with their initialisers, and registers.
#include <algorithm>
#include <cstring>

#include "ptx/parser.h"

namespace vgpu::ptx {

namespace {

uint32_t round_down_to_power(uint64_t bytes) {
  uint32_t power = 1;
  while (power * 2 <= bytes && power < 16) power *= 2;
  return power;
}

void store(std::vector<uint8_t>& bytes, uint64_t at, uint64_t value, uint32_t size) {
  if (bytes.size() < at + size) bytes.resize(at + size);
  std::memcpy(bytes.data() + at, &value, std::min<uint32_t>(size, sizeof value));
}

// The bits a literal has in an element of the type.
uint64_t bits_of(const Literal& literal, Type type) {
  const bool real = type == Type::F32 || type == Type::F64;
  if (!literal.floating) {
    if (!real) return literal.bits;
    const double value = static_cast<double>(static_cast<int64_t>(literal.bits));
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    return bits_of({true, false, bits}, type);
  }
  if (size_of(type) == 4 && !literal.single) {
    const auto value = static_cast<float>(literal.number());
    uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    return bits;
  }
  if (type == Type::F64 && literal.single) {
    const double value = literal.number();
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    return bits;
  }
  return literal.bits;
}

}  // namespace

Space Parser::space_named(std::string_view word) {
  if (word == "global") return Space::Global;
  if (word == "shared" || word == "shared::cta") return Space::Shared;
  if (word == "local") return Space::Local;
  if (word == "const") return Space::Const;
  if (word == "param") return Space::Param;
  return Space::None;
}

void Parser::declare_attribute(Declaration& d, std::string_view word) {
  if (word == "align") {
    const int64_t bytes = scan_.integer();
    if (bytes <= 0 || (bytes & (bytes - 1)) != 0) scan_.fail("expected a power of two behind .align");
    d.alignment = static_cast<uint32_t>(bytes);
  } else if (word == "v2" || word == "v4" || word == "v8") {
    d.width = static_cast<uint32_t>(word[1] - '0');
  } else if (word == "ptr") {  // .ptr .global .align 16: about what the parameter points at, not about itself
    while (scan_.peek() == '.') {
      if (scan_.directive() == "align") scan_.integer();
    }
  } else if (word == "attribute") {
    const size_t begin = (scan_.peek(), scan_.position());
    scan_.skip_balanced();
    d.managed = scan_.slice(begin, scan_.position()).find("managed") != std::string_view::npos;
  } else if (word == "managed") {
    d.managed = true;
  } else if (word == "texref" || word == "samplerref" || word == "surfref") {
    d.type = Type::B64;
  } else {
    d.type = type_named(word);
    if (d.type == Type::Other) scan_.fail("expected a type, found `." + std::string(word) + "`");
  }
}

Parser::Declaration Parser::declaration() {
  Declaration d;
  if (scan_.peek() == '[') scan_.skip_balanced();  // .const[2]: banks of old versions
  while (scan_.peek() == '.') declare_attribute(d, scan_.directive());
  if (d.type == Type::None) scan_.fail_expected("a type");
  return d;
}

Variable Parser::declarator(const Declaration& d, Space space, std::string_view name) {
  Variable v;
  v.name = name;
  v.space = space;
  v.type = d.type;
  v.managed = d.managed;
  const uint64_t element = uint64_t{size_of(d.type)} * d.width;
  v.alignment = d.alignment != 0 ? d.alignment : round_down_to_power(element);
  v.size = element;
  bool open = false;
  while (scan_.accept('[')) {
    if (scan_.accept(']')) {
      open = true;
      continue;
    }
    const int64_t count = scan_.integer();
    if (count < 0) scan_.fail("an array of negative size");
    v.size *= static_cast<uint64_t>(count);
    scan_.expect(']');
  }
  if (scan_.accept('=')) initialiser(v, d);
  if (open) v.size = (v.initial.size() + element - 1) / element * element;
  if (v.initial.size() > v.size)
    scan_.fail("more initial values than `" + std::string(name) + "` has room for");
  return v;
}

void Parser::initialiser(Variable& variable, const Declaration& d) {
  uint64_t at = 0;
  if (scan_.peek() == '{')
    initial_elements(variable, d, at);
  else
    initial_value(variable, d.type, 0);
}

// Nested braces of a multi-dimensional array follow each other without gaps: nvcc writes complete rows.
void Parser::initial_elements(Variable& variable, const Declaration& d, uint64_t& at) {
  scan_.expect('{');
  if (scan_.accept('}')) return;
  do {
    if (scan_.peek() == '{') {
      initial_elements(variable, d, at);
    } else {
      initial_value(variable, d.type, at);
      at += size_of(d.type);
    }
  } while (scan_.accept(','));
  scan_.expect('}');
}

void Parser::initial_value(Variable& variable, Type type, uint64_t at) {
  const uint32_t size = size_of(type);
  const size_t begin = (scan_.peek(), scan_.position());
  const bool number = (scan_.peek() >= '0' && scan_.peek() <= '9') || scan_.peek() == '-' ||
                      scan_.peek() == '(' || scan_.peek() == '~' || scan_.peek() == '.';
  if (number) {
    const Literal literal = scan_.expression();
    if (scan_.peek() != '(') return store(variable.initial, at, bits_of(literal, type), size);
    scan_.expect('(');  // 0xFF00(symbol): one byte of an address
    Relocation relocation = initial_symbol(at, type);
    scan_.expect(')');
    relocation.bytes = 1;
    relocation.shift = static_cast<uint8_t>(literal.bits == 0 ? 0 : __builtin_ctzll(literal.bits));
    variable.relocations.push_back(relocation);
    return store(variable.initial, at, 0, size);
  }
  if (scan_.accept_word("WARP_SZ")) {
    scan_.set_position(begin);
    return store(variable.initial, at, bits_of(scan_.expression(), type), size);
  }
  if (size < 4) scan_.fail("an address needs an element of 4 or 8 bytes");
  variable.relocations.push_back(initial_symbol(at, type));
  store(variable.initial, at, 0, size);
}

Relocation Parser::initial_symbol(uint64_t at, Type type) {
  Relocation relocation;
  relocation.offset = at;
  relocation.bytes = static_cast<uint8_t>(size_of(type));
  relocation.generic = scan_.accept_word("generic");
  if (relocation.generic) scan_.expect('(');
  relocation.symbol = scan_.name("a symbol or a number");
  if (relocation.generic) scan_.expect(')');
  if (scan_.peek() == '+' || scan_.peek() == '-') relocation.addend = scan_.integer();
  return relocation;
}

void Parser::module_variables(Space space, const Linkage& linkage) {
  const Declaration d = declaration();
  do {
    Variable v = declarator(d, space, scan_.name("a variable's name"));
    v.is_extern = linkage.is_extern;
    Symbol& symbol = globals_[v.name];
    if (symbol.kind == Symbol::Kind::None) {
      symbol.kind = Symbol::Kind::Variable;
      symbol.variable = &module_->variables.emplace_back(std::move(v));
      continue;
    }
    if (symbol.kind != Symbol::Kind::Variable)
      scan_.fail("`" + std::string(v.name) + "` is the name of a function");
    if (v.is_extern) continue;  // a declaration behind a declaration or the definition
    if (!symbol.variable->is_extern) scan_.fail("a second definition of `" + std::string(v.name) + "`");
    const auto declared = std::find_if(module_->variables.begin(), module_->variables.end(),
                                       [&](const Variable& other) { return &other == symbol.variable; });
    *declared = std::move(v);
  } while (scan_.accept(','));
  scan_.expect(';');
}

void Parser::body_variables(Space space) {
  const Declaration d = declaration();
  do {
    const std::string_view name = scan_.name("a variable's name");
    fn_->variables.push_back(declarator(d, space, name));
    Symbol& symbol = scopes_[static_cast<size_t>(scope_)].symbols[name];
    symbol = {};
    symbol.kind = Symbol::Kind::Variable;
    symbol.variable = &fn_->variables.back();
  } while (scan_.accept(','));
  scan_.expect(';');
}

void Parser::registers() {
  const Declaration d = declaration();
  Scope& scope = scopes_[static_cast<size_t>(scope_)];
  do {
    const std::string_view name = scan_.name("a register's name");
    if (scan_.accept('<')) {
      // The count is a literal: an expression would take the closing bracket for an operator.
      const Literal count = scan_.literal();
      scan_.expect('>');
      scope.ranges.push_back({name, static_cast<uint32_t>(count.bits), d.type});
      continue;
    }
    Symbol symbol;
    symbol.kind = d.width == 1 ? Symbol::Kind::Register : Symbol::Kind::RegisterVector;
    symbol.index = static_cast<int32_t>(fn_->registers.size());
    symbol.width = static_cast<uint8_t>(d.width);
    for (uint32_t i = 0; i < d.width; ++i) fn_->registers.push_back({name, d.type});
    scope.symbols[name] = symbol;
  } while (scan_.accept(','));
  scan_.expect(';');
}

}  // namespace vgpu::ptx
