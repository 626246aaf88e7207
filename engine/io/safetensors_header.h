// The JSON header of a safetensors file, checked for form: types of values, known fields, no key twice. What
// it says about the data (offsets, sizes) is checked by safetensors.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace engine {

struct SafetensorsEntry {
  std::string name;
  std::string dtype;
  std::vector<int64_t> shape;   // each >= 0
  uint64_t begin = 0, end = 0;  // bytes in the data section
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  // in the file's order
  std::map<std::string, std::string> metadata;
};

/// Parses the header's JSON text; BadData with `file` as its place.
SafetensorsHeader parse_safetensors_header(std::string_view json, const std::string& file);

/// `text` as a JSON string with its quotes; bytes that are no UTF-8 become U+FFFD.
std::string json_string(const std::string& text);

}  // namespace engine
