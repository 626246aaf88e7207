// Line information: .file, .loc with its inlining chain, and the names of inlined functions in .debug_str.
#include <climits>

#include "ptx/parser.h"

namespace vgpu::ptx {

void Parser::file_directive() {
  const auto number = static_cast<size_t>(scan_.integer());
  if (number > 1'000'000) scan_.fail("expected a file number");
  if (module_->files.size() <= number) module_->files.resize(number + 1);
  module_->files[number] = scan_.quoted();
  while (scan_.accept(',')) scan_.integer();  // time stamp and size
}

// Where an inlined call stands: the last .loc of that file, line and column carries the rest of the chain.
int32_t Parser::find_location(int32_t file, int32_t line, int32_t column) {
  const auto [entry, fresh] = location_of_.try_emplace({file, line, column}, 0);
  if (fresh) {
    entry->second = static_cast<int32_t>(module_->locations.size());
    module_->locations.push_back({file, line, -1, {}});
  }
  return entry->second;
}

void Parser::location_directive() {
  // Plain literals: an expression would look at the next line for an operator.
  const auto number = [this] { return static_cast<int32_t>(scan_.literal().bits); };
  Location location;
  location.file = number();
  location.line = number();
  const auto column = number();
  InlinedName inlined;
  while (scan_.accept(',')) {
    if (scan_.accept_word("function_name")) {
      inlined.label =
          scan_.accept_word(".debug_str") ? std::string_view() : scan_.name("a label of .debug_str");
      if (scan_.accept('+')) inlined.offset = scan_.literal().bits & INT_MAX;
    } else if (scan_.accept_word("inlined_at")) {
      const auto file = number();
      const auto line = number();
      location.inlined_at = find_location(file, line, number());
    } else {
      scan_.fail_expected("function_name or inlined_at");
    }
  }
  if (location.line == 0) return;  // code of no line of its own: the line before says more than none
  location_ = static_cast<int32_t>(module_->locations.size());
  module_->locations.push_back(location);
  location_of_[{location.file, location.line, column}] = location_;
  if (location.inlined_at >= 0) {
    inlined.location = location_;
    inlined_names_.push_back(inlined);
  }
}

void Parser::section() {
  const std::string_view name = scan_.directive();
  if (scan_.peek() != '{') scan_.fail_expected("'{'");
  if (name != "debug_str") return scan_.skip_balanced();
  debug_strings();
}

void Parser::debug_strings() {
  scan_.expect('{');
  while (!scan_.accept('}')) {
    if (scan_.at_name()) {
      const std::string_view label = scan_.name();
      scan_.expect(':');
      debug_string_labels_[label] = debug_string_bytes_.size();
      continue;
    }
    if (scan_.directive() != "b8") scan_.fail("expected .b8 in section .debug_str");
    do debug_string_bytes_ += static_cast<char>(scan_.literal().bits);
    while (scan_.accept(','));
    scan_.accept(';');
  }
}

void Parser::name_inlined_functions() {
  std::unordered_map<size_t, std::string_view> names;
  for (const InlinedName& inlined : inlined_names_) {
    size_t at = static_cast<size_t>(inlined.offset);
    if (!inlined.label.empty()) {
      const auto label = debug_string_labels_.find(inlined.label);
      if (label == debug_string_labels_.end()) continue;
      at += label->second;
    }
    if (at >= debug_string_bytes_.size()) continue;
    const auto [entry, fresh] = names.try_emplace(at);
    if (fresh) entry->second = module_->strings.emplace_back(debug_string_bytes_.c_str() + at);
    module_->locations[static_cast<size_t>(inlined.location)].function = entry->second;
  }
}

}  // namespace vgpu::ptx
