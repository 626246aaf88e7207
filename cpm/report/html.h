// Text and bytes for a page: escaping and data URIs.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace cpm {

/// Text for elements and quoted attributes: & < > " ' become entities; control characters other than tab and
/// line feed become U+FFFD.
std::string escape_html(const std::string& text);

/// RFC 4648, with padding.
std::string base64(std::span<const uint8_t> bytes);

/// The page's style sheet: light and dark, phone, print. One table of custom properties a theme.
std::string page_style();

}  // namespace cpm
