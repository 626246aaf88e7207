// The command line that every program shares: options declared once, --help, --version, --man and
// --completion for free, unknown flags answered with the nearest match, errors as one line on stderr with the
// documented exit code.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/base/exec.h"
#include "kernels/base/types.h"
#include "tools/cli_table.h"

namespace tools {

class Cli {
 public:
  Cli(const std::string& program, const std::string& summary);
  ~Cli();
  Cli(const Cli&) = delete;
  Cli& operator=(const Cli&) = delete;

  /// Options take one value; `value_name` is shown in --help ("FILE", "N"). Numbers are parsed strictly.
  void option(const std::string& flag, std::string* value, const std::string& value_name,
              const std::string& help);
  void option(const std::string& flag, std::optional<std::string>* value, const std::string& value_name,
              const std::string& help);
  void option(const std::string& flag, std::optional<int64_t>* value, const std::string& value_name,
              const std::string& help);
  void option(const std::string& flag, std::optional<double>* value, const std::string& value_name,
              const std::string& help);
  /// May be given without a value: then *value becomes "" (an engaged optional).
  void option_with_default(const std::string& flag, std::optional<std::string>* value,
                           const std::string& value_name, const std::string& help);
  /// May be given several times (--set a.b=v).
  void repeated(const std::string& flag, std::vector<std::string>* values, const std::string& value_name,
                const std::string& help);
  void flag(const std::string& flag, bool* value, const std::string& help);
  /// What remains, e.g. "IMAGE".
  void positionals(const std::string& name, std::vector<std::string>* values, const std::string& help);
  /// What the value of the option, or of the positionals, of this name may be: for completion. Words that
  /// explain themselves stand in the manual page, too. Values named FILE, FILE.html and IMAGE complete to
  /// files, DIR, RUN and PATH to folders, DEVICE to devices.
  void words(const std::string& name, std::vector<CliWord> words);
  /// The same, and parse() refuses any other value, or part of one named LIST, with the nearest match.
  void choices(const std::string& name, std::vector<CliWord> words);
  /// Text printed under the options in --help (examples, exit codes).
  void footer(const std::string& text);

  /// Parses; --help, --version, --man and --completion print and return false (exit 0). Usage errors throw
  /// kernels::Error.
  bool parse(int argc, char** argv);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Runs `body` and turns exceptions into "error: ..." on stderr and the exit code. Use as main's whole body.
int run_main(const std::function<int()>& body);

/// Fails with a Usage error that names the flag unless `ok`.
void require_usage(bool ok, const std::string& where, const std::string& what, const std::string& expected,
                   const std::string& got);

/// "fp32" or, on the CPU, "fp64"; Usage for tf32 and bf16, which are not there yet, and for other words.
kernels::DType parse_precision(const std::string& precision, const kernels::Exec& exec);

}  // namespace tools
