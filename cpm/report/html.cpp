// Escaping and base64, by RFC 4648 section 4: three bytes are four digits, the last group is padded with '='.
#include "cpm/report/html.h"

#include <algorithm>

namespace cpm {

std::string escape_html(const std::string& text) {
  std::string result;
  result.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\'':
        result += "&#39;";
        break;
      default: {
        const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
        if (control && c != '\t' && c != '\n') {
          result += "\xef\xbf\xbd";
        } else {
          result += c;
        }
      }
    }
  }
  return result;
}

std::string base64(std::span<const uint8_t> bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string result;
  result.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) group = group << 8 | (k < count ? bytes[i + k] : 0u);
    for (size_t k = 0; k < 4; ++k) {
      result += k <= count ? kDigits[group >> (18 - 6 * k) & 63] : '=';
    }
  }
  return result;
}

}  // namespace cpm
