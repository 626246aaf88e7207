#include "cpm/report_environment.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "cpm/train_session.h"

namespace cpm {

using nlohmann::ordered_json;

namespace {

std::string text_of(const ordered_json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

/// As a shell reads it.
std::string quoted(const std::string& word) {
  const auto plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string("-_./:,=+@%").find(c) != std::string::npos;
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) return word;
  std::string result = "'";
  for (const char c : word) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

std::string capital(std::string text) {
  if (!text.empty()) text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}

std::string command(const ordered_json& argv) {
  std::vector<std::string> words;
  for (const ordered_json& word : argv) words.push_back(quoted(text_of(word)));
  return fmt::format("{}", fmt::join(words, " "));
}

/// One key of env.json as a row; an empty name where another row has told it.
std::pair<std::string, std::string> row(const ordered_json& env, const std::string& key,
                                        const ordered_json& value) {
  const auto other = [&](const char* name) {
    return env.contains(name) ? text_of(env[name]) : std::string();
  };
  if (key == "argv") return {"Command", command(value)};
  if (key == "version")
    return {"Program",
            fmt::format("{}, {} build, {}", text_of(value), other("build_type"), other("compiler"))};
  if (key == "processors") return {"Processor", fmt::format("{} threads, {}", text_of(value), other("isa"))};
  if (key == "memory_bytes" && value.is_number()) return {"Memory", bytes_text(value.get<double>())};
  if (key == "time") return {"Started", text_of(value)};
  if (key == "os" && value.is_object()) {
    std::vector<std::string> parts;
    for (const auto& [part, name] : value.items()) parts.push_back(text_of(name));
    return {"System", fmt::format("{}", fmt::join(parts, " "))};
  }
  for (const char* told : {"compiler", "build_type", "isa", "extra", "resumes"}) {
    if (key == told) return {};
  }
  return {key, text_of(value)};
}

}  // namespace

std::vector<std::pair<std::string, std::string>> environment_rows(const ordered_json& environment) {
  std::vector<std::pair<std::string, std::string>> rows;
  for (const auto& [key, value] : environment.items()) {
    const auto entry = row(environment, key, value);
    if (!entry.first.empty()) rows.push_back(entry);
  }
  // The command is what a reader looks for.
  std::stable_partition(rows.begin(), rows.end(), [](const auto& entry) { return entry.first == "Command"; });
  const ordered_json extra = environment.value("extra", ordered_json::object());
  for (const auto& [key, value] : extra.items()) {
    const std::string name = key == "val" ? "validation" : key;
    if (!text_of(value).empty()) rows.emplace_back(capital(name), text_of(value));
  }
  for (const ordered_json& resume : environment.value("resumes", ordered_json::array())) {
    rows.emplace_back("Resumed", fmt::format("{}: {}", text_of(resume.value("time", ordered_json(""))),
                                             command(resume.value("argv", ordered_json::array()))));
  }
  return rows;
}

}  // namespace cpm
