// The table of a program's options, and the texts that are made from it: --help, the manual page, completion
// for three shells. tools/cli.cpp fills it.
#pragma once

#include <string>
#include <vector>

namespace tools {

/// How often an option may come and with what.
enum class OptionKind { Flag, Value, OptionalValue, Repeated };

/// What a value may be. One that ends in = or : goes on without a space.
struct CliWord {
  std::string word, help = {};
};

/// Each of `words`, with `end` behind it.
std::vector<CliWord> to_words(const std::vector<std::string>& words, const std::string& end = "");

struct CliOption {
  std::string name, value_name, help;  // "--out", "DIR"
  OptionKind kind = OptionKind::Value;
  std::vector<CliWord> words = {};  // for completion
  bool closed = false;              // nothing but one of `words` is accepted
  std::string letter = {};          // "-h"
};

struct CliTable {
  std::string program, version, summary, footer;
  CliOption positionals;  // no value_name: none are taken
  std::vector<CliOption> options;
};

/// What completes a value that no word completes, by the name it has in --help.
enum class ValuePlace { None, File, Folder, FileBehindColon };
ValuePlace value_place(const std::string& value_name);

/// "--set KEY=VALUE ...": as --help and the manual show it.
std::string left_side(const CliOption& option);

std::string help_text(const CliTable& table);
/// In roff with the man macros (man(7)).
std::string man_page(const CliTable& table);
/// `shell`: one of completion_shells().
std::string completion_script(const CliTable& table, const std::string& shell);
std::vector<CliWord> completion_shells();

}  // namespace tools
