// Module scope: header directives, functions and their attributes. Also ptx::parse itself.
#include <algorithm>

#include "ptx/parser.h"

namespace vgpu::ptx {

namespace {

// Trailing zero bytes of an embedded text are not part of it; tabs become blanks so that reports can print
// statements.
std::string tidy(std::string text) {
  text.resize(std::min(text.find('\0'), text.size()));
  std::replace(text.begin(), text.end(), '\t', ' ');
  return text;
}

std::unique_ptr<Module> module_of(std::string text) {
  auto module = std::make_unique<Module>();
  module->text = tidy(std::move(text));
  return module;
}

}  // namespace

std::unique_ptr<Module> parse(std::string text) {
  return Parser(std::move(text)).run();
}

Parser::Parser(std::string text) : scan_(""), module_(module_of(std::move(text))) {
  scan_ = Scanner(module_->text);
}

std::unique_ptr<Module> Parser::run() {
  while (!scan_.at_end()) module_statement();
  name_inlined_functions();
  return std::move(module_);
}

void Parser::module_statement() {
  if (scan_.accept(';')) return;
  if (scan_.accept('@')) {  // `@@DWARF` lines of old compilers
    scan_.set_position(std::min(module_->text.find('\n', scan_.position()), module_->text.size()));
    return;
  }
  Linkage linkage;
  for (;;) {
    if (scan_.peek() != '.') scan_.fail_expected("a directive");
    const size_t at = scan_.position();
    const std::string_view word = scan_.directive();
    if (word == "visible" || word == "weak" || word == "common" || word == "extern") {
      linkage.is_extern |= word == "extern";
      linkage.any = true;
      continue;
    }
    if (word == "func" || word == "entry") return function(word == "entry");
    const Space space = space_named(word);
    if (space != Space::None && space != Space::Local && space != Space::Param)
      return module_variables(space, linkage);
    if (linkage.any)
      scan_.fail_at(at, "expected a function or a variable, found `." + std::string(word) + "`");
    scan_.set_position(at);
    return header_statement(scan_.directive());
  }
}

void Parser::header_statement(std::string_view word) {
  if (word == "version") {
    const size_t begin = (scan_.peek(), scan_.position());
    scan_.literal();
    module_->version = scan_.slice(begin, scan_.position());
  } else if (word == "target") {
    module_->target = scan_.name("a target");
    while (scan_.accept(',')) scan_.name("a target option");
  } else if (word == "address_size") {
    if (scan_.integer() != 64) scan_.fail("expected .address_size 64");
  } else if (word == "file") {
    file_directive();
  } else if (word == "section") {
    section();
  } else if (word == "alias") {
    alias();
  } else if (word == "pragma") {
    do scan_.quoted();
    while (scan_.accept(','));
    scan_.expect(';');
  } else {
    scan_.fail("expected a directive of the module scope, found `." + std::string(word) + "`");
  }
}

void Parser::alias() {
  const std::string_view name = scan_.name("the alias");
  scan_.expect(',');
  const size_t at = (scan_.peek(), scan_.position());
  const std::string_view existing = scan_.name("the function behind the alias");
  if (functions_.count(existing) == 0) scan_.fail_at(at, "`" + std::string(existing) + "` is not a function");
  function_named(name);
  module_->aliases.emplace_back(name, existing);
  scan_.expect(';');
}

Function& Parser::function_named(std::string_view name) {
  const auto [entry, fresh] = functions_.try_emplace(name, nullptr);
  if (fresh) {
    Function& fn = module_->functions.emplace_back();
    fn.name = name;
    entry->second = &fn;
    globals_[name].kind = Symbol::Kind::Function;
  }
  return *entry->second;
}

void Parser::function(bool entry) {
  while (scan_.peek() == '.') {
    const std::string_view word = scan_.directive();
    if (word != "attribute" && word != "noreturn") scan_.fail("expected a function's name");
    if (scan_.peek() == '(') scan_.skip_balanced();
  }
  std::deque<Variable> returns, params;
  if (scan_.peek() == '(') parameters(returns);
  scan_.peek();
  const size_t at = scan_.position();
  Function& fn = function_named(scan_.name("a function's name"));
  if (scan_.peek() == '(') parameters(params);
  Function attributes;
  function_directives(attributes);

  const bool defines = scan_.peek() == '{';
  if (!defines) scan_.expect(';');
  if (fn.defined) {
    if (defines) scan_.fail_at(at, "a second definition of `" + std::string(fn.name) + "`");
    return;  // a declaration behind the definition: operands already point at the definition's parameters
  }
  fn.entry = entry;
  fn.returns = std::move(returns);
  fn.params = std::move(params);
  if (!defines) return;
  fn.defined = true;
  fn.max_threads = attributes.max_threads;
  fn.min_blocks = attributes.min_blocks;
  fn.max_registers = attributes.max_registers;
  std::copy_n(attributes.required_threads, 3, fn.required_threads);
  std::copy_n(attributes.cluster, 3, fn.cluster);
  fn.explicit_cluster = attributes.explicit_cluster;
  body(fn);
}

void Parser::parameters(std::deque<Variable>& list) {
  scan_.expect('(');
  if (scan_.accept(')')) return;
  do {
    const std::string_view word = scan_.directive();
    if (word != "param") scan_.fail("expected .param, found `." + std::string(word) + "`");
    const Declaration d = declaration();
    list.push_back(declarator(d, Space::Param, scan_.name("a parameter's name")));
  } while (scan_.accept(','));
  scan_.expect(')');
}

void Parser::function_directives(Function& fn) {
  while (scan_.peek() == '.') tuning_directive(fn, scan_.directive());
}

void Parser::tuning_directive(Function& fn, std::string_view word) {
  if (word == "pragma") {
    do scan_.quoted();
    while (scan_.accept(','));
    scan_.expect(';');
    return;
  }
  if (scan_.peek() == '(') return scan_.skip_balanced();  // .attribute(...)
  uint32_t values[3] = {1, 1, 1};
  int count = 0;
  while (scan_.peek() >= '0' && scan_.peek() <= '9') {
    if (count == 3) scan_.fail("expected at most three numbers behind `." + std::string(word) + "`");
    values[count++] = static_cast<uint32_t>(scan_.integer());
    if (!scan_.accept(',')) break;
  }
  if (word == "maxntid") {
    fn.max_threads = values[0] * values[1] * values[2];
  } else if (word == "reqntid") {
    std::copy_n(values, 3, fn.required_threads);
    fn.max_threads = values[0] * values[1] * values[2];
  } else if (word == "minnctapersm") {
    fn.min_blocks = values[0];
  } else if (word == "maxnreg") {
    fn.max_registers = values[0];
  } else if (word == "reqnctapercluster") {
    std::copy_n(values, 3, fn.cluster);
  } else if (word == "explicitcluster") {
    fn.explicit_cluster = true;
  }
  // The others (.noreturn, .maxclusterrank, .abi_preserve ...) change nothing here.
}

}  // namespace vgpu::ptx
