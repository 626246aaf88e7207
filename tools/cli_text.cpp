// --help and manual pages.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "tools/cli_table.h"

namespace tools {
namespace {

/// Words of `text` in lines of at most `width` columns; line ends in the text stay.
std::vector<std::string> wrap(const std::string& text, size_t width) {
  std::vector<std::string> lines(1);
  size_t begin = 0;
  while (begin < text.size()) {
    const size_t end = std::min(text.find_first_of(" \n", begin), text.size());
    std::string& line = lines.back();
    const std::string word = text.substr(begin, end - begin);
    if (!line.empty() && line.size() + 1 + word.size() > width) {
      lines.push_back(word);
    } else {
      line += (line.empty() ? "" : " ") + word;
    }
    if (end < text.size() && text[end] == '\n') lines.emplace_back();
    begin = end + 1;
  }
  return lines;
}

std::string help_entry(const std::string& left, const std::string& help) {
  constexpr size_t kColumn = 30, kWidth = 100;
  std::string out = fmt::format("  {:<{}}", left, kColumn - 2);
  // A long left side keeps its line to itself.
  if (left.size() + 4 > kColumn) out += fmt::format("\n{:{}}", "", kColumn);
  bool first = true;
  for (const std::string& line : wrap(help, kWidth - kColumn)) {
    out += first ? line : fmt::format("\n{:{}}{}", "", kColumn, line);
    first = false;
  }
  return out + "\n";
}

/// Text as roff prints it: characters that may be copied, no line that looks like a request.
std::string roff(const std::string& text) {
  static const std::map<char, const char*> kNames = {{'-', "\\-"},   {'\\', "\\e"},  {'\'', "\\(aq"},
                                                     {'`', "\\(ga"}, {'^', "\\(ha"}, {'~', "\\(ti"}};
  std::string out;
  for (const char c : text) {
    if (c == '.' && (out.empty() || out.back() == '\n')) out += "\\&";
    const auto name = kNames.find(c);
    out += name == kNames.end() ? std::string(1, c) : name->second;
  }
  return out;
}

std::string man_entry(const std::string& left, const std::string& help) {
  return fmt::format(".TP\n.B {}\n{}\n", roff(left), roff(help));
}

std::string man_section(const std::string& title, const std::string& text) {
  return text.empty() ? "" : fmt::format(".SH {}\n{}", title, text);
}

/// The words that explain themselves, a level deeper than their option.
std::string man_words(const CliOption& option) {
  std::string out;
  for (const CliWord& word : option.words) {
    if (!word.help.empty()) out += man_entry(word.word, word.help);
  }
  return out.empty() ? "" : ".RS\n" + out + ".RE\n";
}

constexpr const char* kExitCodes[][2] = {
    {"0", "done"},
    {"1", "a check failed"},
    {"64", "wrong usage"},
    {"65", "bad data"},
    {"69", "no such device"},
    {"70", "an error of the program"},
    {"73", "a file cannot be created"},
    {"74", "reading or writing failed"},
    {"75", "interrupted, can be resumed"},
};

}  // namespace

std::vector<CliWord> to_words(const std::vector<std::string>& words, const std::string& end) {
  std::vector<CliWord> out;
  for (const std::string& word : words) out.push_back({word + end});
  return out;
}

ValuePlace value_place(const std::string& value_name) {
  if (value_name == "FILE" || value_name == "FILE.html" || value_name == "IMAGE") return ValuePlace::File;
  if (value_name == "SPEC" || value_name == "COMMAND SPEC") return ValuePlace::FileBehindColon;
  if (value_name == "DIR" || value_name == "RUN" || value_name == "PATH" || value_name == "COMMAND")
    return ValuePlace::Folder;
  return ValuePlace::None;
}

std::string left_side(const CliOption& option) {
  const std::string name = (option.letter.empty() ? "" : option.letter + ", ") + option.name;
  switch (option.kind) {
    case OptionKind::Flag:
      return name;
    case OptionKind::OptionalValue:
      return fmt::format("{} [{}]", name, option.value_name);
    case OptionKind::Repeated:
      return fmt::format("{} {} ...", name, option.value_name);
    case OptionKind::Value:
      break;
  }
  return fmt::format("{} {}", name, option.value_name);
}

std::string help_text(const CliTable& t) {
  const CliOption& rest = t.positionals;
  const bool takes_rest = !rest.value_name.empty();
  std::string out = fmt::format("{}: {}\n\nusage: {} [options]{}\n", t.program, t.summary, t.program,
                                takes_rest ? fmt::format(" {}...", rest.value_name) : "");
  if (takes_rest) out += "\n" + help_entry(rest.value_name, rest.help);
  out += "\noptions:\n";
  for (const CliOption& option : t.options) out += help_entry(left_side(option), option.help);
  if (!t.footer.empty()) out += "\n" + t.footer + (t.footer.back() == '\n' ? "" : "\n");
  return out;
}

std::string man_page(const CliTable& t) {
  const CliOption& rest = t.positionals;
  const bool takes_rest = !rest.value_name.empty();
  std::string title = t.program, options, codes, footer = t.footer;
  std::transform(title.begin(), title.end(), title.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  std::replace(footer.begin(), footer.end(), '\n', ' ');
  if (takes_rest) options += man_entry(rest.value_name, rest.help);
  for (const CliOption& option : t.options) {
    options += man_entry(left_side(option), option.help) + man_words(option);
  }
  for (const auto& [code, meaning] : kExitCodes) codes += man_entry(code, meaning);
  return fmt::format(".TH {} 1 \"\" \"cpm {}\" \"User Commands\"\n", roff(title), roff(t.version)) +
         man_section("NAME", fmt::format("{} \\- {}\n", roff(t.program), roff(t.summary))) +
         man_section("SYNOPSIS", fmt::format(".B {}\n[options]{}\n", roff(t.program),
                                             takes_rest ? " " + roff(rest.value_name) + "..." : "")) +
         man_section("OPTIONS", options) + man_section("NOTES", footer.empty() ? "" : roff(footer) + "\n") +
         man_section("EXIT STATUS", codes);
}

}  // namespace tools
