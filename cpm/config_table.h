// The one table of configuration keys: where each value lives, its limits and its one-line help. Reading,
// printing, checking and documentation all walk it, so a new key is one new row. Internal to cpm/config*.cpp;
// its rows are in config_rows.cpp.
#pragma once

#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "cpm/config.h"

namespace cpm {

using StageNumbers = std::array<double, kMaxStages>;
using Integers = std::vector<int64_t>;  // at most kMaxStages

/// Where a value lives; the alternative is the key's type.
using Field = std::variant<int64_t*, double*, bool*, std::string*, StageNumbers*, Integers*>;

/// Limits of a number, or of each number of an array. Non-finite numbers are always refused.
struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool low_open = false, high_open = false;  // the limit itself is refused
};

/// The strings that a key accepts: what `accepts` says (`choices` are the likely ones then), or one of
/// `choices`, or (both empty) any UTF-8 text.
struct Strings {
  std::vector<std::string> choices;
  std::vector<std::string> later = {};  // known names that cannot be chosen yet
  bool (*accepts)(const std::string& text) = nullptr;
  std::string form;  // what `accepts` accepts, in words
};

struct KeyRow {
  std::string key;  // "model.stages"
  Field (*field)(Config& config);
  std::string help;
  Range range;
  Strings strings;

  std::string section() const { return key.substr(0, key.find('.')); }
  std::string name() const { return key.substr(key.find('.') + 1); }
};

/// All rows, ordered by section.
const std::vector<KeyRow>& key_table();

/// "integer", "number", "boolean", "string", "numbers" or "integers".
std::string type_name(const Field& field);

/// What a value of this key must be, for error lines and comments: "an integer, 1-6".
std::string expected_text(const KeyRow& row, const Field& field);
/// Its limits alone: "1-6", "> 0", "\"adam\" or \"sgd\""; empty where there are none.
std::string limits_text(const KeyRow& row);

/// The value as a TOML literal.
std::string literal(const Field& field);
std::string quoted(const std::string& text);

/// "train.batch: persons in a batch", for hints.
std::string meaning(const KeyRow& row);

/// Usage error, located at `where`, unless the value is within the row's limits.
void check_limits(const KeyRow& row, const Field& field, const std::string& where);

}  // namespace cpm
