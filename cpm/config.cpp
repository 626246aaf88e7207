// Reading and writing the configuration. TOML is parsed by toml++; every value found is looked up in the
// table of keys (config_table.cpp), so that a key nobody reads cannot pass in silence. A file or assignment
// takes effect as a whole or, when anything in it is wrong, not at all.
#include "cpm/config.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <optional>
#include <string_view>

#include "cpm/config_table.h"
#include "cpm/supervision.h"
#include "engine/io/file.h"
#include "kernels/base/error.h"
#include "kernels/base/nearest.h"

namespace cpm {
namespace {

using kernels::Error;
using kernels::ExitCode;

constexpr uint64_t kFileLimit = 1 << 20;
constexpr const char* kSpaces = " \t\r\n\v\f";

const KeyRow* find_row(const std::string& key) {
  for (const KeyRow& row : key_table()) {
    if (row.key == key) return &row;
  }
  return nullptr;
}

std::vector<std::string> section_names() {
  std::vector<std::string> names;
  for (const KeyRow& row : key_table()) {
    if (names.empty() || names.back() != row.section()) names.push_back(row.section());
  }
  return names;
}

/// "train.steps (--steps)": a key that has a flag of its own in cpm-train carries it, for errors found after
/// flags and files were merged.
std::string key_and_flag(const std::string& key) {
  if (key == "grads.every") return key + " (--grad-hist)";
  if (key == "data.train") return key + " (--data)";
  if (key == "data.val") return key + " (--val)";
  constexpr const char* kFlags[] = {"device", "precision", "steps",   "epochs",
                                    "batch",  "seed",      "threads", "checkpoint_every"};
  const bool has = std::any_of(std::begin(kFlags), std::end(kFlags),
                               [&](const char* name) { return key == std::string("train.") + name; });
  if (!has) return key;
  std::string flag = key.substr(std::string("train.").size());
  std::replace(flag.begin(), flag.end(), '_', '-');
  return key + " (--" + flag + ")";
}

/// The key that was probably meant: the right name in a wrong or missing section, else the nearest spelling.
std::string nearest_key(const std::string& key) {
  const size_t dot = key.rfind('.');
  const std::string leaf = dot == std::string::npos ? key : key.substr(dot + 1);
  std::vector<std::string> same_leaf, all, leaves;
  for (const KeyRow& row : key_table()) {
    if (row.name() == leaf) same_leaf.push_back(row.key);
    all.push_back(row.key);
    leaves.push_back(row.name());
  }
  if (same_leaf.size() == 1) return same_leaf[0];
  if (dot != std::string::npos) return kernels::nearest_name(key, same_leaf.empty() ? all : same_leaf);
  const std::string near = same_leaf.empty() ? kernels::nearest_name(leaf, leaves) : leaf;
  const auto found = std::find(leaves.begin(), leaves.end(), near);
  return found == leaves.end() ? "" : all[static_cast<size_t>(found - leaves.begin())];
}

[[noreturn]] void unknown_key(const std::string& key, const std::string& where) {
  const std::string near = nearest_key(key);
  throw Error(ExitCode::Usage,
              {.where = where,
               .what = "unknown configuration key",
               .expected = "a key that --print-config shows",
               .got = key,
               .hint = near.empty() ? "cpm-train --print-config shows every key and its values"
                                    : fmt::format("did you mean {}?", near)});
}

[[noreturn]] void wrong_type(const std::string& key, const std::string& where, const std::string& expected,
                             const std::string& got) {
  const KeyRow* row = find_row(key);
  throw Error(ExitCode::Usage, {.where = where,
                                .what = key + " has the wrong type",
                                .expected = expected,
                                .got = got,
                                .hint = row == nullptr ? "keys stand below their [section]" : meaning(*row)});
}

/// A value as an error line shows it.
std::string describe(const toml::node& node) {
  if (const auto* text = node.as_string()) return "the string " + quoted(text->get());
  if (const auto* integer = node.as_integer()) return fmt::format("the integer {}", integer->get());
  if (const auto* number = node.as_floating_point()) return fmt::format("the number {}", number->get());
  if (const auto* boolean = node.as_boolean()) return boolean->get() ? "true" : "false";
  if (const auto* array = node.as_array()) return fmt::format("an array of {} items", array->size());
  return node.is_table() ? "a table" : "a date or time";
}

std::optional<int64_t> as_integer(const toml::node& node) {
  if (const auto* integer = node.as_integer()) return integer->get();
  return std::nullopt;
}

std::optional<double> as_number(const toml::node& node) {
  if (const auto* integer = node.as_integer()) return static_cast<double>(integer->get());
  if (const auto* number = node.as_floating_point()) return number->get();
  return std::nullopt;
}

/// The array's items by `convert`, at least `least` and at most one a stage; nullopt where one is none.
template <class T, class Convert>
std::optional<std::vector<T>> items_of(const toml::node& node, size_t least, Convert convert) {
  const toml::array* items = node.as_array();
  if (items == nullptr || items->size() < least || items->size() > kMaxStages) return std::nullopt;
  std::vector<T> values;
  for (const toml::node& item : *items) {
    const std::optional<T> value = convert(item);
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  return values;
}

/// Stores the node's value in the field; false where the type does not fit.
bool store(const toml::node& node, const Field& field) {
  if (auto* const* text = std::get_if<std::string*>(&field)) {
    if (const auto* value = node.as_string()) return (**text = value->get(), true);
  } else if (auto* const* boolean = std::get_if<bool*>(&field)) {
    if (const auto* value = node.as_boolean()) return (**boolean = value->get(), true);
  } else if (auto* const* integer = std::get_if<int64_t*>(&field)) {
    if (const auto* value = node.as_integer()) return (**integer = value->get(), true);
  } else if (auto* const* number = std::get_if<double*>(&field)) {
    if (const auto value = as_number(node)) return (**number = *value, true);
  } else if (auto* const* numbers = std::get_if<StageNumbers*>(&field)) {
    const auto items = items_of<double>(node, 1, as_number);
    if (!items) return false;
    (*numbers)->fill(1);
    std::copy(items->begin(), items->end(), (*numbers)->begin());
    return true;
  } else if (auto* const* integers = std::get_if<Integers*>(&field)) {
    auto items = items_of<int64_t>(node, 0, as_integer);
    if (!items) return false;
    **integers = *std::move(items);
    return true;
  }
  return false;
}

void apply(const KeyRow& row, const toml::node& node, const std::string& where, Config& config) {
  const Field field = row.field(config);
  if (!store(node, field)) {
    std::string got = describe(node);
    const toml::array* items = node.as_array();
    const bool integers = std::holds_alternative<Integers*>(field);
    if ((integers || std::holds_alternative<StageNumbers*>(field)) && items != nullptr) {
      for (const toml::node& item : *items) {
        if (integers ? !as_integer(item) : !as_number(item)) got = describe(item) + " in the array";
      }
    }
    wrong_type(row.key, where, expected_text(row, field), got);
  }
  check_limits(row, field, where);
}

std::string place(const std::string& file, const toml::source_position& position) {
  return fmt::format("{}:{}:{}", file, position.line, position.column);
}

std::string range_comment(const KeyRow& row) {
  const std::string limits = limits_text(row);
  return row.help + (limits.empty() ? "" : " (" + limits + ")");
}

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(kSpaces);
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(kSpaces) - first + 1);
}

/// The one value of an assignment in TOML syntax, nullopt where it is none. The name before it has no line
/// end, and a value that smuggles in a second line or a comment is no single value.
std::optional<toml::table> parse_value(const std::string& value) {
  try {
    toml::table table = toml::parse("value = " + value);
    if (table.size() == 1 && table.get("value") != nullptr) return table;
  } catch (const toml::parse_error&) {
    return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

void Config::load(const std::filesystem::path& file) {
  parse(engine::read_text(file, kFileLimit), file.string());
}

void Config::parse(const std::string& text, const std::string& name) {
  toml::table root;
  try {
    root = toml::parse(text, name);
  } catch (const toml::parse_error& error) {
    throw Error(ExitCode::BadData, {.where = place(name, error.source().begin),
                                    .what = "not valid TOML",
                                    .expected = "TOML, as cpm-train --print-config prints it",
                                    .got = std::string(error.description()),
                                    .hint = "correct that line"});
  }
  const std::vector<std::string> sections = section_names();
  Config next = *this;
  for (const auto& [section_key, section] : root) {
    const std::string section_name(section_key.str());
    const std::string where = place(name, section_key.source().begin);
    const bool known = std::find(sections.begin(), sections.end(), section_name) != sections.end();
    if (!section.is_table()) {
      if (!known) unknown_key(section_name, where);
      wrong_type(section_name, where, fmt::format("a section [{}]", section_name), describe(section));
    }
    if (!known) {
      const std::string near = kernels::nearest_name(section_name, sections);
      throw Error(ExitCode::Usage, {.where = where,
                                    .what = "unknown configuration section",
                                    .expected = fmt::format("[{}]", fmt::join(sections, "], [")),
                                    .got = fmt::format("[{}]", section_name),
                                    .hint = near.empty() ? "" : fmt::format("did you mean [{}]?", near)});
    }
    for (const auto& [key, node] : *section.as_table()) {
      const std::string full = section_name + "." + std::string(key.str());
      const KeyRow* row = find_row(full);
      if (row == nullptr) unknown_key(full, place(name, key.source().begin));
      apply(*row, node, place(name, node.source().begin), next);
    }
  }
  *this = next;
}

void Config::set(const std::string& assignment) {
  const std::string where = "--set " + assignment;
  const size_t equals = assignment.find('=');
  if (equals == std::string::npos) {
    throw Error(ExitCode::Usage, {.where = where,
                                  .what = "not an assignment",
                                  .expected = "KEY=VALUE",
                                  .got = assignment,
                                  .hint = "as in --set optim.lr=1e-4"});
  }
  const std::string key = trimmed(assignment.substr(0, equals));
  const std::string value = trimmed(assignment.substr(equals + 1));
  const KeyRow* row = find_row(key);
  if (row == nullptr) unknown_key(key, where);
  Config next = *this;
  const Field field = row->field(next);
  const bool is_string = std::holds_alternative<std::string*>(field);
  // A string may come bare, as the shell hands it over: anything that does not open with a quote.
  if (is_string && (value.empty() || (value[0] != '"' && value[0] != '\''))) {
    *std::get<std::string*>(field) = value;
    check_limits(*row, field, where);
  } else {
    std::optional<toml::table> table;
    if (is_string || value.find_first_of("#\r\n") == std::string::npos) table = parse_value(value);
    if (!table) wrong_type(key, where, expected_text(*row, field), value.empty() ? "nothing" : value);
    apply(*row, *table->get("value"), where, next);
  }
  *this = next;
}

std::string Config::to_toml() const {
  constexpr size_t kCommentColumn = 36;
  Config copy = *this;
  std::string out, section;
  for (const KeyRow& row : key_table()) {
    if (row.section() != section) {
      section = row.section();
      out += fmt::format("{}[{}]\n", out.empty() ? "" : "\n", section);
    }
    const std::string line = fmt::format("{} = {}", row.name(), literal(row.field(copy)));
    out += fmt::format("{:<{}}  # {}\n", line, kCommentColumn, range_comment(row));
  }
  return out;
}

void Config::validate() const {
  Config copy = *this;
  for (const KeyRow& row : key_table()) check_limits(row, row.field(copy), key_and_flag(row.key));
  if (data.input % 8 != 0) {
    throw Error(ExitCode::Usage,
                {.where = "data.input",
                 .what = "the input's side does not fit the network",
                 .expected = "a multiple of 8",
                 .got = fmt::format("{}", data.input),
                 .hint = fmt::format("take {} or {}", data.input / 8 * 8, data.input / 8 * 8 + 8)});
  }
  if (grads.linear_bins % 2 != 0) {
    throw Error(ExitCode::Usage,
                {.where = "grads.linear_bins",
                 .what = "an edge is to lie at 0",
                 .expected = "an even number",
                 .got = fmt::format("{}", grads.linear_bins),
                 .hint = fmt::format("{} or {}", grads.linear_bins - 1, grads.linear_bins + 1)});
  }
  if (train.steps > 0 && train.epochs > 0) {
    throw Error(ExitCode::Usage,
                {.where = "train.steps",
                 .what = "steps and epochs are both given",
                 .expected = "one of them",
                 .got = fmt::format("train.steps = {}, train.epochs = {}", train.steps, train.epochs),
                 .hint = "set the other one to 0"});
  }
  check_supervision(*this);
}

std::string Config::to_json() const {
  Config copy = *this;
  std::string out, section;
  for (const KeyRow& row : key_table()) {
    if (row.section() != section) {
      out += fmt::format("{}\"{}\": {{", section.empty() ? "" : "}, ", row.section());
    } else {
      out += ", ";
    }
    section = row.section();
    out += fmt::format("\"{}\": {}", row.name(), literal(row.field(copy)));
  }
  return "{" + out + "}}";
}

std::vector<ConfigKey> config_keys() {
  Config defaults;
  std::vector<ConfigKey> keys;
  for (const KeyRow& row : key_table()) {
    const Field field = row.field(defaults);
    ConfigKey key{row.key, type_name(field), literal(field), range_comment(row), row.strings.choices};
    if (std::holds_alternative<bool*>(field)) key.choices = {"true", "false"};
    keys.push_back(std::move(key));
  }
  return keys;
}

}  // namespace cpm
