#include "tools/json_text.h"

#include <nlohmann/json.hpp>

namespace tools {

using nlohmann::json;

std::string json_string(const std::string& text) {
  return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string json_array(const std::vector<std::string>& elements) {
  std::string text = "[";
  for (const std::string& element : elements) text += (text.size() > 1 ? ", " : "") + element;
  return text + "]";
}

void JsonObject::add_raw(const std::string& key, const std::string& value) {
  body_ += (body_.empty() ? "" : ", ") + json_string(key) + ": " + value;
}

void JsonObject::add(const std::string& key, const std::string& value) {
  add_raw(key, json_string(value));
}

void JsonObject::add(const std::string& key, int64_t value) {
  add_raw(key, std::to_string(value));
}

void JsonObject::add(const std::string& key, bool value) {
  add_raw(key, value ? "true" : "false");
}

void JsonObject::add(const std::string& key, double value) {
  add_raw(key, json(value).dump());
}

void JsonObject::add(const std::string& key, const std::vector<double>& values) {
  add_raw(key, json(values).dump());
}

}  // namespace tools
