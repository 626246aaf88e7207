// JSON objects for --json, in the order their keys were added.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tools {

class JsonObject {
 public:
  void add(const std::string& key, const std::string& value);
  void add(const std::string& key, const char* value) { add(key, std::string(value)); }
  void add(const std::string& key, int64_t value);
  void add(const std::string& key, int value) { add(key, static_cast<int64_t>(value)); }
  void add(const std::string& key, bool value);
  /// Shortest text that reads back equal; null where it is not finite.
  void add(const std::string& key, double value);
  void add(const std::string& key, const std::vector<double>& values);
  /// `json` is JSON already.
  void add_raw(const std::string& key, const std::string& json);

  std::string text() const { return "{" + body_ + "}"; }

 private:
  std::string body_;
};

/// A JSON string, quoted; bytes that are not UTF-8 are replaced.
std::string json_string(const std::string& text);
/// "[a, b]" of JSON texts.
std::string json_array(const std::vector<std::string>& elements);

}  // namespace tools
