// Completion for bash, zsh and fish: one script a program, which needs nothing but the shell.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "kernels/base/error.h"
#include "tools/cli_table.h"

namespace tools {
namespace {

/// The program's name as a function's.
std::string function_name(const std::string& program) {
  std::string name = "_" + program;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

/// In single quotes, for any of the shells.
std::string single_quoted(const std::string& text, const std::string& quote) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? quote : std::string(1, c);
  return out + "'";
}

std::string words_of(const CliOption& option) {
  std::string out;
  for (const CliWord& word : option.words) out += (out.empty() ? "" : " ") + word.word;
  return out;
}

bool takes_value(const CliOption& option) {
  return option.kind != OptionKind::Flag;
}

/// What `option`'s value completes to, as commands of bash.
std::string bash_value(const CliOption& option) {
  const ValuePlace place = value_place(option.value_name);
  std::string out;
  if (!option.words.empty()) out = fmt::format("words={}", single_quoted(words_of(option), "'\\''"));
  if (place == ValuePlace::None) return out.empty() ? "return" : out;
  return fmt::format("{}{}place={}", out, out.empty() ? "" : "; ",
                     place == ValuePlace::Folder ? "dirnames" : "default");
}

constexpr const char* kBash = R"({0}() {{
  local line=${{COMP_LINE:0:COMP_POINT}} value before words='' place='' cut word
  value=${{line##*[[:space:]]}}
  before=${{line%"$value"}}
  before=${{before%"${{before##*[![:space:]]}}"}}
  before=${{before##*[[:space:]]}}
  if [[ $value == --*=* ]]; then
    before=${{value%%=*}}
    value=${{value#*=}}
  fi
  case $before in
{2}  *)
    if [[ $value == -* ]]; then
      words='{3}'
    else
      {4}
    fi
    ;;
  esac
  cut=${{value%"${{value##*[=:]}}"}} # another word to readline
  COMPREPLY=()
  for word in $(compgen -W "$words" -- "$value"); do
    [[ $word == "$cut" ]] || COMPREPLY+=("${{word#"$cut"}}")
  done
  if [[ ${{#COMPREPLY[@]}} == 1 && ${{COMPREPLY[0]}} == *[=:] ]]; then
    compopt -o nospace 2> /dev/null
  fi
  if [[ -n $place && ${{#COMPREPLY[@]}} == 0 ]]; then
    compopt -o "$place" 2> /dev/null
  fi
}}
complete -F {0} {1}
)";

std::string bash_script(const CliTable& t) {
  std::map<std::string, std::string> cases;  // what to do -> options
  std::string flags;
  for (const CliOption& option : t.options) {
    flags += (flags.empty() ? "" : " ") + (option.letter.empty() ? "" : option.letter + " ") + option.name;
    if (!takes_value(option)) continue;
    std::string& names = cases[bash_value(option)];
    names += (names.empty() ? "" : " | ") + option.name;
  }
  std::string text;
  for (const auto& [commands, names] : cases) text += fmt::format("  {}) {} ;;\n", names, commands);
  const std::string rest = t.positionals.value_name.empty() ? "return" : bash_value(t.positionals);
  return fmt::format(kBash, function_name(t.program), t.program, text, flags, rest);
}

/// Text within an argument of zsh's _arguments: brackets and colons have a meaning there.
std::string zsh_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

bool goes_on(const CliWord& word) {
  return word.word.back() == '=' || word.word.back() == ':';
}

/// "word:help" for _describe, of the words that go on without a space or of the others.
std::string zsh_words(const CliOption& option, bool open) {
  std::string out;
  for (const CliWord& word : option.words) {
    if (goes_on(word) != open) continue;
    std::string entry;
    for (const char c : word.word) entry += c == ':' ? "\\:" : std::string(1, c);
    if (!word.help.empty()) entry += ":" + word.help;
    out += "    " + single_quoted(entry, "'\\''") + "\n";
  }
  return out;
}

std::string zsh_action(const CliOption& option) {
  switch (value_place(option.value_name)) {
    case ValuePlace::File:
      return "_files";
    case ValuePlace::Folder:
      return "_files -/";
    case ValuePlace::FileBehindColon:
      return "compset -P \"*:\" && _files";
    case ValuePlace::None:
      return " ";
  }
  return " ";
}

/// A function that completes the option's value, where it takes more than one command; its name in `name`.
std::string zsh_function(const CliTable& t, const CliOption& option, std::string* name) {
  if (option.words.empty()) return "";
  *name = function_name(t.program + (option.name.empty() ? "-words" : option.name));
  const std::string place = zsh_action(option);
  return fmt::format(
      "{}() {{\n  local -a whole=(\n{}  ) open=(\n{}  )\n  _describe '{}' open -S '' -- whole{}\n}}\n", *name,
      zsh_words(option, false), zsh_words(option, true), option.value_name,
      place == " " ? "" : "\n  " + place);
}

std::string zsh_script(const CliTable& t) {
  std::string functions, arguments;
  const auto value = [&](const CliOption& option, const char* colons) {
    std::string name = zsh_action(option);
    functions += zsh_function(t, option, &name);
    return fmt::format("{}{}:{}", colons, zsh_text(option.value_name), name);
  };
  for (const CliOption& option : t.options) {
    const std::string help = fmt::format("[{}]", zsh_text(option.help));
    std::string what = (option.kind == OptionKind::Repeated ? "*" : "") + option.name + help;
    if (takes_value(option)) what += value(option, option.kind == OptionKind::OptionalValue ? "::" : ":");
    arguments += fmt::format(" \\\n    {}", single_quoted(what, "'\\''"));
    if (!option.letter.empty())
      arguments += fmt::format(" \\\n    {}", single_quoted(option.letter + help, "'\\''"));
  }
  if (!t.positionals.value_name.empty()) {
    arguments += fmt::format(" \\\n    {}", single_quoted("*" + value(t.positionals, ":"), "'\\''"));
  }
  const std::string name = function_name(t.program);
  return fmt::format(
      "#compdef {0}\n{1}{2}() {{\n  _arguments{3}\n}}\n"
      "if [ \"$funcstack[1]\" = \"_{0}\" ]; then\n  {2} \"$@\"\nelse\n  compdef {2} {0}\nfi\n",
      t.program, functions, name, arguments);
}

std::string fish_quoted(const std::string& text) {
  std::string escaped;
  for (const char c : text) escaped += c == '\\' ? "\\\\" : std::string(1, c);
  return single_quoted(escaped, "\\'");
}

/// What prints a value's completions: words by lines with their help behind a tab, then folders.
std::string fish_value(const CliOption& option) {
  std::string lines, commands;
  for (const CliWord& word : option.words) {
    if (!lines.empty()) lines += "\n";
    lines += word.word + (word.help.empty() ? "" : "\t" + word.help);
  }
  if (!lines.empty()) commands = "printf '%s\\n' " + fish_quoted(lines);
  if (value_place(option.value_name) == ValuePlace::Folder) {
    commands += std::string(commands.empty() ? "" : "; ") + "__fish_complete_directories";
  }
  return commands.empty() ? "" : " -a " + fish_quoted("(" + commands + ")");
}

std::string fish_script(const CliTable& t) {
  std::string out;
  const bool files = value_place(t.positionals.value_name) == ValuePlace::File;
  if (!files) out += fmt::format("complete -c {} -f\n", t.program);
  if (!t.positionals.value_name.empty()) {
    out += fmt::format("complete -c {}{}\n", t.program, fish_value(t.positionals));
  }
  for (const CliOption& option : t.options) {
    const bool file = value_place(option.value_name) == ValuePlace::File;
    out += fmt::format("complete -c {}{} -l {}", t.program,
                       option.letter.empty() ? "" : " -s " + option.letter.substr(1), option.name.substr(2));
    // A value that may be left out is none that must follow.
    if (takes_value(option) && option.kind != OptionKind::OptionalValue) out += file ? " -r -F" : " -x";
    if (takes_value(option)) out += fish_value(option);
    out += fmt::format(" -d {}\n", fish_quoted(option.help));
  }
  return out;
}

}  // namespace

std::vector<CliWord> completion_shells() {
  return to_words({"bash", "zsh", "fish"});
}

std::string completion_script(const CliTable& table, const std::string& shell) {
  const std::string head =
      fmt::format("# Completion of {0}, as {0} --completion {1} prints it.\n", table.program, shell);
  if (shell == "bash") return head + bash_script(table);
  if (shell == "fish") return head + fish_script(table);
  CPM_CHECK(shell == "zsh", "no completion for {}", shell);
  return zsh_script(table);  // its first line is #compdef
}

}  // namespace tools
