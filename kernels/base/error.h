// Errors of the whole project: one exception type that knows its exit code and says where, what, expected,
// got and hint, so that every command prints the same single line. See docs/errors.md for the exit codes.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>

namespace kernels {

/// Process exit codes, shared by every command.
enum class ExitCode : int {
  Ok = 0,
  CheckFailed = 1,         // a check or comparison the user asked for failed; training diverged
  Usage = 64,              // unknown flag or key, bad value
  BadData = 65,            // a file exists but its content is wrong
  DeviceUnavailable = 69,  // the asked-for device or build feature is not there
  Internal = 70,           // a bug in this program
  CannotWrite = 73,        // an output cannot be created
  IoError = 74,            // reading or writing failed half-way (disk full, vanished file)
  Interrupted = 75,        // stopped by a signal; can be resumed
};

/// The five fields of an error line; empty ones are left out of it.
struct ErrorInfo {
  std::string where;     // file, flag or key
  std::string what;      // what is wrong
  std::string expected;  // what would have been right
  std::string got;       // what was found
  std::string hint;      // what to do next
};

class Error : public std::runtime_error {
 public:
  Error(ExitCode code, ErrorInfo info);

  ExitCode code() const { return code_; }
  const ErrorInfo& info() const { return info_; }

 private:
  ExitCode code_;
  ErrorInfo info_;
};

/// "WHERE: WHAT | expected: ... | got: ... | hint: ..." on one line; control characters are escaped as \xNN.
std::string error_line(const ErrorInfo& info);

/// `text` with control characters and what is not UTF-8 escaped, cut behind `limit` bytes (for names that
/// come from outside).
std::string printable(const std::string& text, size_t limit = 200);

/// Throws an Internal error that names the expression, its place and the message.
[[noreturn]] void check_failed(const char* expression, const char* file, int line,
                               const std::string& message);

}  // namespace kernels

/// Checks what only a bug can break. The message is an fmt format string with its arguments.
#define CPM_CHECK(condition, ...)                                                                      \
  do {                                                                                                 \
    if (!(condition)) kernels::check_failed(#condition, __FILE__, __LINE__, fmt::format(__VA_ARGS__)); \
  } while (false)
