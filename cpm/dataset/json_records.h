// Arrays of records in a JSON file of any size, one record in memory at a time: what is beside the arrays and
// the fields that nobody asked for are passed over. Private to cpm/dataset.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "kernels/base/error.h"

namespace cpm {

/// Numbers in lists of equal length, e.g. shape {16, 3}; one number alone has no axes.
struct NumberArray {
  std::vector<int64_t> shape;
  std::vector<double> values;  // the last axis runs fastest
};

/// One record's fields. What is not as asked for is BadData that names file, record and field.
class JsonRecord {
 public:
  /// `kind` is what a record is called in errors ("annotation"); all arguments outlive the object.
  JsonRecord(const std::string& file, const std::string& kind, int64_t number, const nlohmann::json& fields)
      : file_(file), kind_(kind), number_(number), fields_(fields) {}

  /// Place in its array, from 1.
  int64_t number() const { return number_; }
  /// There, and not null.
  bool has(const std::string& key) const;
  /// A number without a fraction, at most 2^53.
  int64_t whole(const std::string& key) const;
  std::string text(const std::string& key) const;
  std::vector<std::string> texts(const std::string& key) const;
  NumberArray numbers(const std::string& key) const;
  /// `numbers` of this shape.
  std::vector<double> numbers(const std::string& key, const std::vector<int64_t>& shape) const;
  /// "annotation 3: `what`".
  kernels::ErrorInfo fault(const std::string& what, const std::string& expected, const std::string& got,
                           const std::string& hint = "") const;
  [[noreturn]] void fail(const std::string& what, const std::string& expected, const std::string& got,
                         const std::string& hint = "") const;

 private:
  const nlohmann::json& at(const std::string& key, const char* expected) const;

  const std::string& file_;
  const std::string& kind_;
  int64_t number_;
  const nlohmann::json& fields_;
};

/// Which records are read, and who gets them.
struct JsonArray {
  std::string key;                // of the file's object; empty where the file is the array
  std::string kind;               // what an element is called in errors
  std::vector<std::string> keys;  // the fields that are kept
  std::function<void(const JsonRecord&)> take;
};

/// Gives the records of every array to its `take`, in the file's order, and returns the arrays' lengths (-1:
/// not in the file). BadData with line and column where the file is no JSON; also where an element is no
/// object or has a field twice.
std::vector<int64_t> read_json_records(const std::filesystem::path& file,
                                       const std::vector<JsonArray>& arrays);
/// The same from memory; `name` stands for the path in errors.
std::vector<int64_t> parse_json_records(std::span<const uint8_t> text, const std::string& name,
                                        const std::vector<JsonArray>& arrays);

}  // namespace cpm
