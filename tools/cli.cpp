// Command lines on top of CLI11, which splits the arguments; all text that a user sees is made here. Every
// option is declared to CLI11 as raw strings, however often it comes, and read strictly afterwards: so the
// wording of errors, the refusal of repeated options and the parsing of numbers do not depend on CLI11's
// version.
#include "tools/cli.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <new>
#include <system_error>

#include "kernels/base/error.h"
#include "kernels/base/nearest.h"

namespace tools {
namespace {

using kernels::Error;
using kernels::ExitCode;

/// How often an option may come and with what.
enum class Kind { Flag, Value, OptionalValue, Repeated };

struct Spec {
  std::string name, value_name, help;
  Kind kind = Kind::Value;
  std::function<void(const std::vector<std::string>&)>
      assign;  // gets every value that was given, at least one
  std::vector<std::string> given;
};

[[noreturn]] void usage(const std::string& where, const std::string& what, const std::string& expected,
                        const std::string& got, const std::string& hint = "") {
  throw Error(ExitCode::Usage,
              {.where = where, .what = what, .expected = expected, .got = got, .hint = hint});
}

/// The whole text as a number of type T: no spaces, no leftovers, no overflow, no NaN and no infinity.
template <class T>
T parse_number(const std::string& flag, const std::string& text, const char* expected) {
  T number{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  const bool overflow = error == std::errc::result_out_of_range;
  if (overflow && stop == end) usage(flag, "the value is too large or too small", expected, text);
  if (error != std::errc() || stop != end || !std::isfinite(static_cast<double>(number))) {
    usage(flag, "invalid value", expected, text.empty() ? "nothing" : text);
  }
  return number;
}

constexpr const char* kInteger = "an integer";
constexpr const char* kNumber = "a number";

std::string without_dashes(const std::string& name) {
  const size_t first = name.find_first_not_of('-');
  return first == std::string::npos ? "" : name.substr(first);
}

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

std::string left_side(const Spec& spec) {
  switch (spec.kind) {
    case Kind::Flag:
      return spec.name;
    case Kind::OptionalValue:
      return fmt::format("{} [{}]", spec.name, spec.value_name);
    case Kind::Repeated:
      return fmt::format("{} {} ...", spec.name, spec.value_name);
    case Kind::Value:
      break;
  }
  return fmt::format("{} {}", spec.name, spec.value_name);
}

int print_error(ExitCode code, const std::string& line) {
  std::fflush(stdout);  // what was printed before the error comes before it
  fmt::print(stderr, "error: {}\n", line);
  return static_cast<int>(code);
}

int lost_output(const std::string& reason) {
  return print_error(
      ExitCode::IoError,
      kernels::error_line({.where = "standard output", .what = "cannot write", .got = reason}));
}

int run_body(const std::function<int()>& body) {
  try {
    return body();
  } catch (const Error& error) {
    return print_error(error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return print_error(ExitCode::Internal, "not enough memory | hint: smaller --batch or data.input");
  } catch (const std::filesystem::filesystem_error& error) {
    return print_error(ExitCode::IoError, kernels::error_line({.where = error.path1().string(),
                                                               .what = "a file operation failed",
                                                               .got = error.code().message()}));
  } catch (const std::system_error& error) {
    // fmt::print throws where a text is longer than stdout's buffer.
    if (std::ferror(stdout) != 0) return lost_output(error.code().message());
    return print_error(ExitCode::Internal, kernels::error_line({.what = error.what()}));
  } catch (const std::exception& error) {
    return print_error(ExitCode::Internal, kernels::error_line({.what = error.what()}));
  }
}

}  // namespace

struct Cli::Impl {
  Impl(const std::string& program_name, const std::string& summary_text)
      : program(program_name), summary(summary_text), app(summary_text, program_name) {
    app.allow_extras();  // unknown flags are collected, and answered with the nearest match
    app.set_help_flag("-h,--help");
    app.set_version_flag("--version", program + " " + CPM_VERSION);
  }

  void add(Spec spec);
  void parse(int argc, char** argv);
  void take_leftovers();
  void check_given(const Spec& spec) const;
  std::vector<std::string> known_flags() const;
  std::string help() const;

  std::string program, summary, footer;
  std::string positional_name, positional_help;
  std::vector<std::string>* positionals = nullptr;
  std::vector<std::string> after_dashes;  // arguments behind "--"
  std::vector<std::unique_ptr<Spec>> specs;
  CLI::App app;
};

void Cli::Impl::add(Spec spec) {
  CPM_CHECK(spec.name.rfind("--", 0) == 0, "option {} has no dashes", spec.name);
  specs.push_back(std::make_unique<Spec>(std::move(spec)));
  Spec* added = specs.back().get();
  CLI::Option* option = app.add_option(added->name, [added](const CLI::results_t& results) {
    added->given = results;
    return true;
  });
  option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  if (added->kind == Kind::Flag) option->expected(0);
  if (added->kind == Kind::OptionalValue) option->expected(0, 1);
}

std::vector<std::string> Cli::Impl::known_flags() const {
  std::vector<std::string> names;
  for (const auto& spec : specs) names.push_back(spec->name);
  names.insert(names.end(), {"--help", "--version"});
  return names;
}

std::string Cli::Impl::help() const {
  const std::string rest = positionals == nullptr ? "" : fmt::format(" {}...", positional_name);
  std::string out = fmt::format("{}: {}\n\nusage: {}{}{}\n", program, summary, program, " [options]", rest);
  if (positionals != nullptr) out += "\n" + help_entry(positional_name, positional_help);
  out += "\noptions:\n";
  for (const auto& spec : specs) out += help_entry(left_side(*spec), spec->help);
  out += help_entry("-h, --help", "print this and exit");
  out += help_entry("--version", "print the version and exit");
  if (!footer.empty()) out += "\n" + footer + (footer.back() == '\n' ? "" : "\n");
  return out;
}

void Cli::Impl::parse(int argc, char** argv) {
  std::vector<std::string> arguments;
  const std::vector<std::string> known = known_flags();
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--") {
      after_dashes.assign(argv + i + 1, argv + argc);
      break;
    }
    arguments.push_back(argument);
    // CLI11 reads "--flag=" as a flag whose value comes next; it is an empty value.
    const bool empty_value = argument.size() > 1 && argument.back() == '=';
    const std::string name = argument.substr(0, argument.size() - (empty_value ? 1 : 0));
    if (empty_value && std::find(known.begin(), known.end(), name) != known.end()) {
      arguments.back() = name;
      arguments.emplace_back();
    }
  }
  const std::string last = arguments.empty() ? "" : arguments.back();
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    throw;
  } catch (const CLI::CallForVersion&) {
    throw;
  } catch (const CLI::ArgumentMismatch&) {
    // Options take all values they get, so the one way to fail is an option at the end without its value.
    usage(last, "a value is missing", "a value after the option", "the end of the command line");
  } catch (const CLI::ParseError& error) {
    usage("command line", error.what(), "", "", "see --help");
  }
}

/// What CLI11 did not place, and what follows "--": positionals, or errors.
void Cli::Impl::take_leftovers() {
  std::vector<std::string> words;
  for (const std::string& argument : app.remaining()) {
    if (argument.size() > 1 && argument[0] == '-') {
      const std::string name = argument.substr(0, argument.find('='));
      std::vector<std::string> known = known_flags();
      for (std::string& flag : known) flag = without_dashes(flag);
      const std::string near = kernels::nearest_name(without_dashes(name), known);
      usage(name, "unknown option", "", "",
            near.empty() ? "see --help" : fmt::format("did you mean --{}?", near));
    }
    words.push_back(argument);
  }
  words.insert(words.end(), after_dashes.begin(), after_dashes.end());
  if (words.empty()) return;
  if (positionals == nullptr) usage(words[0], "unexpected argument", "options only", "", "see --help");
  *positionals = words;
}

void Cli::Impl::check_given(const Spec& spec) const {
  if (spec.kind != Kind::Repeated && spec.given.size() > 1) {
    usage(spec.name, "given more than once", "at most once",
          spec.kind == Kind::Flag ? "" : fmt::format("{}", fmt::join(spec.given, ", ")));
  }
  if (spec.kind == Kind::Flag) {
    const std::string& value = spec.given[0];  // CLI11's versions differ in what a bare flag gets
    if (!value.empty() && value != "true") usage(spec.name, "takes no value", "the option alone", value);
    return;
  }
  const std::vector<std::string> known = known_flags();
  for (const std::string& value : spec.given) {
    const std::string name = value.substr(0, value.find('='));
    if (std::find(known.begin(), known.end(), name) != known.end()) {
      usage(spec.name, "a value is missing", spec.value_name, "the option " + name);
    }
  }
}

Cli::Cli(const std::string& program, const std::string& summary)
    : impl_(std::make_unique<Impl>(program, summary)) {}

Cli::~Cli() = default;

void Cli::option(const std::string& flag, std::string* value, const std::string& value_name,
                 const std::string& help) {
  impl_->add({flag, value_name, help, Kind::Value, [value](const auto& given) { *value = given[0]; }, {}});
}

void Cli::option(const std::string& flag, std::optional<std::string>* value, const std::string& value_name,
                 const std::string& help) {
  impl_->add({flag, value_name, help, Kind::Value, [value](const auto& given) { *value = given[0]; }, {}});
}

void Cli::option(const std::string& flag, std::optional<int64_t>* value, const std::string& value_name,
                 const std::string& help) {
  const auto assign = [flag, value](const auto& given) {
    *value = parse_number<int64_t>(flag, given[0], kInteger);
  };
  impl_->add({flag, value_name, help, Kind::Value, assign, {}});
}

void Cli::option(const std::string& flag, std::optional<double>* value, const std::string& value_name,
                 const std::string& help) {
  const auto assign = [flag, value](const auto& given) {
    *value = parse_number<double>(flag, given[0], kNumber);
  };
  impl_->add({flag, value_name, help, Kind::Value, assign, {}});
}

void Cli::option_with_default(const std::string& flag, std::optional<std::string>* value,
                              const std::string& value_name, const std::string& help) {
  const auto assign = [value](const auto& given) { *value = given[0]; };
  impl_->add({flag, value_name, help, Kind::OptionalValue, assign, {}});
}

void Cli::repeated(const std::string& flag, std::vector<std::string>* values, const std::string& value_name,
                   const std::string& help) {
  impl_->add({flag, value_name, help, Kind::Repeated, [values](const auto& given) { *values = given; }, {}});
}

void Cli::flag(const std::string& flag, bool* value, const std::string& help) {
  impl_->add({flag, "", help, Kind::Flag, [value](const auto&) { *value = true; }, {}});
}

void Cli::positionals(const std::string& name, std::vector<std::string>* values, const std::string& help) {
  impl_->positional_name = name;
  impl_->positional_help = help;
  impl_->positionals = values;
}

void Cli::footer(const std::string& text) {
  impl_->footer = text;
}

bool Cli::parse(int argc, char** argv) {
  try {
    impl_->parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", impl_->help());
    return false;
  } catch (const CLI::CallForVersion&) {
    fmt::print("{} {}\n", impl_->program, CPM_VERSION);
    return false;
  }
  impl_->take_leftovers();
  for (const auto& spec : impl_->specs) {
    if (spec->given.empty()) continue;
    impl_->check_given(*spec);
    spec->assign(spec->given);
  }
  return true;
}

int run_main(const std::function<int()>& body) {
  const int code = run_body(body);
  // Output that got lost (a full disk behind a redirection) must not look like success.
  errno = 0;
  std::cout.flush();
  const bool lost = std::fflush(stdout) != 0 || std::ferror(stdout) != 0 || !std::cout;
  if (!lost || code != 0) return code;
  return lost_output(errno == 0 ? "an earlier failure" : std::strerror(errno));
}

void require_usage(bool ok, const std::string& where, const std::string& what, const std::string& expected,
                   const std::string& got) {
  if (!ok) usage(where, what, expected, got);
}

}  // namespace tools
