#include "kernels/base/error.h"

namespace kernels {

Error::Error(ExitCode code, ErrorInfo info)
    : std::runtime_error(error_line(info)), code_(code), info_(std::move(info)) {}

namespace {

/// Inside a character of UTF-8, which is not to be cut in two.
bool continues_character(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

}  // namespace

std::string printable(const std::string& text, size_t limit) {
  std::string out;
  for (const char c : text) {
    if (out.size() >= limit && !continues_character(c)) {
      out += "...";
      break;
    }
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

std::string error_line(const ErrorInfo& info) {
  constexpr size_t kFieldLimit = 1000;
  std::string line = info.where.empty() ? "" : printable(info.where, kFieldLimit) + ": ";
  line += printable(info.what, kFieldLimit);
  if (!info.expected.empty()) line += " | expected: " + printable(info.expected, kFieldLimit);
  if (!info.got.empty()) line += " | got: " + printable(info.got, kFieldLimit);
  if (!info.hint.empty()) line += " | hint: " + printable(info.hint, kFieldLimit);
  return line;
}

void check_failed(const char* expression, const char* file, int line, const std::string& message) {
  throw Error(ExitCode::Internal,
              {.where = fmt::format("{}:{}", file, line),
               .what = message,
               .expected = expression,
               .got = "false",
               .hint = "this is a bug in the program; please report it with the command"});
}

}  // namespace kernels
