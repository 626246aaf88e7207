#include "kernels/base/error.h"

#include <algorithm>
#include <iterator>

namespace kernels {

Error::Error(ExitCode code, ErrorInfo info)
    : std::runtime_error(error_line(info)), code_(code), info_(std::move(info)) {}

namespace {

/// Bytes of the character of UTF-8 (RFC 3629) that starts at `at`; 0 for a control character or what is none.
size_t shown_character(const std::string& text, size_t at) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const unsigned lead = byte(at);
  if (lead < 0x80) return lead < 0x20 || lead == 0x7f ? 0 : 1;
  const size_t length = lead >= 0xc2 && lead < 0xe0   ? 2
                        : lead >> 4 == 14             ? 3
                        : lead >= 0xf0 && lead < 0xf5 ? 4
                                                      : 0;
  for (size_t i = 1; i < length; ++i) {
    if (byte(at + i) >> 6 != 2) return 0;
  }
  // Second bytes that would make a control character, an overlong form, a surrogate or more than U+10FFFF.
  const unsigned second = byte(at + 1);
  const bool bad = (lead == 0xc2 && second < 0xa0) || (lead == 0xe0 && second < 0xa0) ||
                   (lead == 0xed && second > 0x9f) || (lead == 0xf0 && second < 0x90) ||
                   (lead == 0xf4 && second > 0x8f);
  // U+2028 to U+202e and U+2066 to U+2069 end lines and turn the direction of writing.
  const unsigned third = byte(at + 2);
  const bool turns = lead == 0xe2 && ((second == 0x80 && third >= 0xa8 && third <= 0xae) ||
                                      (second == 0x81 && third >= 0xa6 && third <= 0xa9));
  return bad || turns ? 0 : length;
}

/// `text` in at most `limit` bytes and three dots in its middle: both ends of a path say most.
std::string shortened(const std::string& text, size_t limit) {
  const std::string whole = printable(text, 4 * text.size() + 1);
  if (whole.size() <= limit) return whole;
  size_t head = limit / 2, tail = whole.size() - limit / 2;
  const auto inside = [&](size_t at) { return (static_cast<unsigned char>(whole[at]) & 0xc0) == 0x80; };
  while (inside(head)) --head;
  while (tail < whole.size() && inside(tail)) ++tail;
  return whole.substr(0, head) + "..." + whole.substr(tail);
}

std::string line_of(const ErrorInfo& info, size_t limit) {
  std::string line = info.where.empty() ? "" : shortened(info.where, limit) + ": ";
  line += shortened(info.what, limit);
  if (!info.expected.empty()) line += " | expected: " + shortened(info.expected, limit);
  if (!info.got.empty()) line += " | got: " + shortened(info.got, limit);
  if (!info.hint.empty()) line += " | hint: " + shortened(info.hint, limit);
  return line;
}

}  // namespace

std::string printable(const std::string& text, size_t limit) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    if (out.size() >= limit) {
      out += "...";
      break;
    }
    const size_t length = shown_character(text, i);
    if (length == 0) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[i]));
    } else {
      out.append(text, i, length);
    }
    i += std::max<size_t>(length, 1);
  }
  return out;
}

std::string error_line(const ErrorInfo& info) {
  constexpr size_t kLineLimit = 392;  // with "error: " 400 columns
  constexpr size_t kFieldLimits[] = {300, 200, 150, 100, 64};
  for (const size_t limit : kFieldLimits) {
    std::string line = line_of(info, limit);
    if (line.size() <= kLineLimit || limit == kFieldLimits[std::size(kFieldLimits) - 1]) return line;
  }
  return "";
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
