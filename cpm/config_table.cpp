#include "cpm/config_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kernels/base/error.h"
#include "kernels/base/nearest.h"

namespace cpm {
namespace {

/// UTF-8 by RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. TOML can hold nothing else.
bool is_utf8(const std::string& text) {
  size_t i = 0;
  while (i < text.size()) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const int more = lead < 0x80 ? 0 : lead >> 5 == 6 ? 1 : lead >> 4 == 14 ? 2 : lead >> 3 == 30 ? 3 : -1;
    if (more < 0 || i + static_cast<size_t>(more) >= text.size()) return false;
    uint32_t point = more == 0 ? lead : lead & (0x3fu >> more);
    for (int k = 1; k <= more; ++k) {
      const auto next = static_cast<unsigned char>(text[i + static_cast<size_t>(k)]);
      if (next >> 6 != 2) return false;
      point = point << 6 | (next & 0x3fu);
    }
    constexpr uint32_t kSmallest[4] = {0, 0x80, 0x800, 0x10000};
    if (point < kSmallest[more] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return false;
    i += static_cast<size_t>(more) + 1;
  }
  return true;
}

std::string number_text(double number) {
  std::string text = fmt::format("{}", number);
  // A number that looks like an integer gets a decimal point, so that any TOML reader sees a float.
  if (text.find_first_not_of("-0123456789") == std::string::npos) text += ".0";
  return text;
}

std::string range_text(const Range& range) {
  const bool low = std::isfinite(range.low), high = std::isfinite(range.high);
  if (low && high && !range.low_open && !range.high_open) return fmt::format("{}-{}", range.low, range.high);
  std::string text;
  if (low) text = fmt::format("{} {}", range.low_open ? ">" : ">=", range.low);
  if (high) text += fmt::format("{}{} {}", low ? " and " : "", range.high_open ? "<" : "<=", range.high);
  return text;
}

bool in_range(const Range& range, double number) {
  const bool above = range.low_open ? number > range.low : number >= range.low;
  const bool below = range.high_open ? number < range.high : number <= range.high;
  return std::isfinite(number) && above && below;
}

/// What is wrong with a key: its name belongs to it unless `where` says it already.
std::string said(const KeyRow& row, const std::string& where, const char* alone, const char* predicate) {
  return where.compare(0, row.key.size(), row.key) == 0 ? alone : row.key + " " + predicate;
}

void check_string(const KeyRow& row, const std::string& text, const std::string& where) {
  const Strings& strings = row.strings;
  const bool known = strings.accepts != nullptr || strings.choices.empty() ||
                     std::find(strings.choices.begin(), strings.choices.end(), text) != strings.choices.end();
  const bool utf8 = is_utf8(text);
  if (utf8 && known && (strings.accepts == nullptr || strings.accepts(text))) return;
  if (std::find(strings.later.begin(), strings.later.end(), text) != strings.later.end()) {
    throw kernels::Error(kernels::ExitCode::Usage,
                         {.where = where,
                          .what = said(row, where, "not available yet", "cannot have this value yet"),
                          .expected = limits_text(row),
                          .got = quoted(text),
                          .hint = "leave it out: nothing else is computed in so far"});
  }
  const bool guess = strings.choices.size() > 1;  // "expected" names an only choice already
  const std::string near = !guess ? "" : kernels::nearest_name(text, strings.choices);
  throw kernels::Error(kernels::ExitCode::Usage,
                       {.where = where,
                        .what = known ? said(row, where, "not valid", "is not valid")
                                      : said(row, where, "unknown value", "has an unknown value"),
                        .expected = utf8 ? limits_text(row) : "text in UTF-8",
                        .got = quoted(text),
                        .hint = near.empty() ? meaning(row) : fmt::format("did you mean {}?", quoted(near))});
}

}  // namespace

std::string type_name(const Field& field) {
  constexpr const char* kNames[] = {"integer", "number", "boolean", "string", "numbers", "integers"};
  static_assert(std::size(kNames) == std::variant_size_v<Field>);
  return kNames[field.index()];
}

std::string limits_text(const KeyRow& row) {
  if (row.strings.accepts != nullptr) return row.strings.form;
  std::string text;
  for (size_t i = 0; i < row.strings.choices.size(); ++i) {
    if (i > 0) text += i + 1 == row.strings.choices.size() ? " or " : ", ";
    text += quoted(row.strings.choices[i]);
  }
  return text.empty() ? range_text(row.range) : text;
}

std::string expected_text(const KeyRow& row, const Field& field) {
  static const std::string array = fmt::format("an array of 1-{} numbers", kMaxStages);
  static const std::string integers = fmt::format("an array of at most {} integers", kMaxStages);
  const std::string kNames[] = {"an integer", "a number", "true or false", "a string", array, integers};
  static_assert(std::size(kNames) == std::variant_size_v<Field>);
  const std::string limits = limits_text(row);
  return kNames[field.index()] + (limits.empty() ? "" : ", " + limits);
}

std::string meaning(const KeyRow& row) {
  return row.key + ": " + row.help;
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\u{:04X}", byte);
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string literal(const Field& field) {
  struct Visitor {
    std::string operator()(const int64_t* value) const { return fmt::format("{}", *value); }
    std::string operator()(const double* value) const { return number_text(*value); }
    std::string operator()(const bool* value) const { return *value ? "true" : "false"; }
    std::string operator()(const std::string* value) const { return quoted(*value); }
    std::string operator()(const StageNumbers* value) const {
      std::string out;
      for (const double number : *value) out += (out.empty() ? "[" : ", ") + number_text(number);
      return out + "]";
    }
    std::string operator()(const Integers* value) const {
      return fmt::format("[{}]", fmt::join(*value, ", "));
    }
  };
  return std::visit(Visitor{}, field);
}

void check_limits(const KeyRow& row, const Field& field, const std::string& where) {
  const auto check_number = [&](double number, const std::string& text) {
    if (in_range(row.range, number)) return;
    const bool array =
        std::holds_alternative<StageNumbers*>(field) || std::holds_alternative<Integers*>(field);
    const std::string limits = limits_text(row);
    throw kernels::Error(kernels::ExitCode::Usage,
                         {.where = where,
                          .what = said(row, where, "out of range", "is out of range"),
                          .expected = (array ? "numbers " : "") + (limits.empty() ? "finite" : limits),
                          .got = text,
                          .hint = meaning(row)});
  };
  if (const auto* text = std::get_if<std::string*>(&field)) {
    check_string(row, **text, where);
  } else if (const auto* integer = std::get_if<int64_t*>(&field)) {
    check_number(static_cast<double>(**integer), fmt::format("{}", **integer));
  } else if (const auto* number = std::get_if<double*>(&field)) {
    check_number(**number, fmt::format("{}", **number));
  } else if (const auto* numbers = std::get_if<StageNumbers*>(&field)) {
    for (const double item : **numbers) check_number(item, fmt::format("{}", item));
  } else if (const auto* integers = std::get_if<Integers*>(&field)) {
    for (const int64_t item : **integers) check_number(static_cast<double>(item), fmt::format("{}", item));
  }
}

}  // namespace cpm
