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
#include <sstream>
#include <system_error>

#include "kernels/base/error.h"
#include "kernels/base/nearest.h"

namespace tools {
namespace {

using kernels::Error;
using kernels::ExitCode;

struct Spec {
  CliOption option;
  std::function<void(const std::vector<std::string>&)>
      assign;  // gets every value that was given, at least one
  std::vector<std::string> given = {};
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
    usage(flag, "invalid value", expected, text.empty() ? "nothing" : fmt::format("\"{}\"", text));
  }
  return number;
}

constexpr const char* kInteger = "an integer";
constexpr const char* kNumber = "a number";

std::string without_dashes(const std::string& name) {
  const size_t first = name.find_first_not_of('-');
  return first == std::string::npos ? "" : name.substr(first);
}

/// Usage error unless `value`, or each part of one named LIST, is one of the option's words.
void check_words(const CliOption& option, const std::string& value) {
  std::vector<std::string> words;
  for (const CliWord& word : option.words) words.push_back(word.word);
  std::istringstream list(value);
  const char end = option.value_name == "LIST" ? ',' : '\0';
  for (std::string part; std::getline(list, part, end);) {
    if (std::find(words.begin(), words.end(), part) != words.end()) continue;
    usage(option.name, "unknown value", fmt::format("{}", fmt::join(words, ", ")), part,
          kernels::nearest_hint(part, words));
  }
}

int print_error(ExitCode code, const std::string& line) {
  std::fflush(stdout);  // what was printed before the error comes before it
  fmt::print(stderr, "error: {}\n", line);
  return static_cast<int>(code);
}

/// The line of an error; what an option's check left unsaid is filled in.
std::string whole_line(const Error& error) {
  kernels::ErrorInfo info = error.info();
  if (info.got.empty()) info.got = "nothing";
  if (info.hint.empty() && error.code() == ExitCode::Usage) info.hint = "see --help";
  return kernels::error_line(info);
}

int lost_output(const std::string& reason) {
  return print_error(ExitCode::IoError,
                     kernels::error_line({.where = "standard output",
                                          .what = "cannot write",
                                          .expected = "room for the output",
                                          .got = reason,
                                          .hint = "check the disk, or the program behind the pipe"}));
}

int run_body(const std::function<int()>& body) {
  try {
    return body();
  } catch (const Error& error) {
    return print_error(error.code(), whole_line(error));
  } catch (const std::bad_alloc&) {
    return print_error(ExitCode::Internal, kernels::error_line({.where = "memory",
                                                                .what = "not enough of it",
                                                                .expected = "room for the next array",
                                                                .got = "none",
                                                                .hint = "smaller --batch or data.input"}));
  } catch (const std::filesystem::filesystem_error& error) {
    return print_error(ExitCode::IoError,
                       kernels::error_line({.where = error.path1().string(),
                                            .what = "a file operation failed",
                                            .expected = "a path that can be used",
                                            .got = error.code().message(),
                                            .hint = "check the path and its permissions"}));
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
  Impl(const std::string& program, const std::string& summary) : app(summary, program) {
    table.program = program;
    table.version = CPM_VERSION;
    table.summary = summary;
    app.allow_extras();  // unknown flags are collected, and answered with the nearest match
    app.set_help_flag("-h,--help");
    app.set_version_flag("--version", program + " " + CPM_VERSION);
  }

  void add(Spec spec);
  CliOption& named(const std::string& name);
  void add_standard_options();
  void parse(int argc, char** argv);
  void take_leftovers();
  void check_given(const Spec& spec) const;
  std::vector<std::string> known_flags() const;
  CliTable whole_table() const;

  CliTable table;  // without its options, which are in `specs`
  std::vector<std::string>* positionals = nullptr;
  std::vector<std::string> after_dashes;  // arguments behind "--"
  std::vector<std::unique_ptr<Spec>> specs;
  std::optional<std::string> completion;
  bool man = false;
  CLI::App app;
};

void Cli::Impl::add(Spec spec) {
  CPM_CHECK(spec.option.name.rfind("--", 0) == 0, "option {} has no dashes", spec.option.name);
  if (spec.option.value_name == "DEVICE") spec.option.words = to_words({"auto", "cpu", "cuda"});
  specs.push_back(std::make_unique<Spec>(std::move(spec)));
  Spec* added = specs.back().get();
  CLI::Option* option = app.add_option(added->option.name, [added](const CLI::results_t& results) {
    added->given = results;
    return true;
  });
  option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  if (added->option.kind == OptionKind::Flag) option->expected(0);
  if (added->option.kind == OptionKind::OptionalValue) option->expected(0, 1);
}

/// The option, or the positionals, of this name.
CliOption& Cli::Impl::named(const std::string& name) {
  if (name == table.positionals.value_name) return table.positionals;
  const auto found =
      std::find_if(specs.begin(), specs.end(), [&](const auto& spec) { return spec->option.name == name; });
  CPM_CHECK(found != specs.end(), "there is no option {}", name);
  return (*found)->option;
}

/// Those that print something about the program.
void Cli::Impl::add_standard_options() {
  const auto shell = [this](const auto& given) { completion = given[0]; };
  add({{.name = "--completion",
        .value_name = "SHELL",
        .help = "print a script that completes this command line in bash, zsh or fish, and exit",
        .words = completion_shells(),
        .closed = true},
       shell});
  add({{.name = "--man", .help = "print the manual page (for man -l -) and exit", .kind = OptionKind::Flag},
       [this](const auto&) { man = true; }});
}

std::vector<std::string> Cli::Impl::known_flags() const {
  std::vector<std::string> names;
  for (const auto& spec : specs) names.push_back(spec->option.name);
  names.insert(names.end(), {"--help", "--version"});
  return names;
}

CliTable Cli::Impl::whole_table() const {
  CliTable whole = table;
  for (const auto& spec : specs) whole.options.push_back(spec->option);
  whole.options.push_back(
      {.name = "--help", .help = "print this and exit", .kind = OptionKind::Flag, .letter = "-h"});
  whole.options.push_back(
      {.name = "--version", .help = "print the version and exit", .kind = OptionKind::Flag});
  return whole;
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
      usage(name, "unknown option", "an option that --help lists", argument,
            near.empty() ? "see --help" : fmt::format("did you mean --{}?", near));
    }
    words.push_back(argument);
  }
  words.insert(words.end(), after_dashes.begin(), after_dashes.end());
  if (words.empty()) return;
  if (positionals == nullptr) usage(words[0], "unexpected argument", "options only", words[0], "see --help");
  *positionals = words;
}

void Cli::Impl::check_given(const Spec& spec) const {
  const CliOption& option = spec.option;
  if (option.kind != OptionKind::Repeated && spec.given.size() > 1) {
    usage(option.name, "given more than once", "at most once",
          option.kind == OptionKind::Flag ? fmt::format("{} times", spec.given.size())
                                          : fmt::format("{}", fmt::join(spec.given, ", ")));
  }
  if (option.kind == OptionKind::Flag) {
    const std::string& value = spec.given[0];  // CLI11's versions differ in what a bare flag gets
    if (!value.empty() && value != "true") usage(option.name, "takes no value", "the option alone", value);
    return;
  }
  const std::vector<std::string> known = known_flags();
  for (const std::string& value : spec.given) {
    const std::string name = value.substr(0, value.find('='));
    if (std::find(known.begin(), known.end(), name) != known.end()) {
      usage(option.name, "a value is missing", option.value_name, "the option " + name);
    }
    if (option.closed) check_words(option, value);
  }
}

Cli::Cli(const std::string& program, const std::string& summary)
    : impl_(std::make_unique<Impl>(program, summary)) {}

Cli::~Cli() = default;

void Cli::option(const std::string& flag, std::string* value, const std::string& value_name,
                 const std::string& help) {
  impl_->add(
      {{flag, value_name, help, OptionKind::Value}, [value](const auto& given) { *value = given[0]; }});
}

void Cli::option(const std::string& flag, std::optional<std::string>* value, const std::string& value_name,
                 const std::string& help) {
  impl_->add(
      {{flag, value_name, help, OptionKind::Value}, [value](const auto& given) { *value = given[0]; }});
}

void Cli::option(const std::string& flag, std::optional<int64_t>* value, const std::string& value_name,
                 const std::string& help) {
  const auto assign = [flag, value](const auto& given) {
    *value = parse_number<int64_t>(flag, given[0], kInteger);
  };
  impl_->add({{flag, value_name, help, OptionKind::Value}, assign});
}

void Cli::option(const std::string& flag, std::optional<double>* value, const std::string& value_name,
                 const std::string& help) {
  const auto assign = [flag, value](const auto& given) {
    *value = parse_number<double>(flag, given[0], kNumber);
  };
  impl_->add({{flag, value_name, help, OptionKind::Value}, assign});
}

void Cli::option_with_default(const std::string& flag, std::optional<std::string>* value,
                              const std::string& value_name, const std::string& help) {
  const auto assign = [value](const auto& given) { *value = given[0]; };
  impl_->add({{flag, value_name, help, OptionKind::OptionalValue}, assign});
}

void Cli::repeated(const std::string& flag, std::vector<std::string>* values, const std::string& value_name,
                   const std::string& help) {
  impl_->add(
      {{flag, value_name, help, OptionKind::Repeated}, [values](const auto& given) { *values = given; }});
}

void Cli::flag(const std::string& flag, bool* value, const std::string& help) {
  impl_->add({{flag, "", help, OptionKind::Flag}, [value](const auto&) { *value = true; }});
}

void Cli::positionals(const std::string& name, std::vector<std::string>* values, const std::string& help) {
  impl_->table.positionals = {.name = "", .value_name = name, .help = help, .kind = OptionKind::Repeated};
  impl_->positionals = values;
}

void Cli::footer(const std::string& text) {
  impl_->table.footer = text;
}

void Cli::words(const std::string& name, std::vector<CliWord> words) {
  impl_->named(name).words = std::move(words);
}

void Cli::choices(const std::string& name, std::vector<CliWord> words) {
  impl_->named(name).words = std::move(words);
  impl_->named(name).closed = true;
}

bool Cli::parse(int argc, char** argv) {
  impl_->add_standard_options();
  try {
    impl_->parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", help_text(impl_->whole_table()));
    return false;
  } catch (const CLI::CallForVersion&) {
    fmt::print("{} {}\n", impl_->table.program, CPM_VERSION);
    return false;
  }
  impl_->take_leftovers();
  for (const auto& spec : impl_->specs) {
    if (spec->given.empty()) continue;
    impl_->check_given(*spec);
    spec->assign(spec->given);
  }
  const CliTable table = impl_->whole_table();
  if (impl_->completion) fmt::print("{}", completion_script(table, *impl_->completion));
  if (impl_->man) fmt::print("{}", man_page(table));
  return !impl_->completion && !impl_->man;
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
