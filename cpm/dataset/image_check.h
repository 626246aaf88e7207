// What is checked of a JPEG or PNG before stb_image sees it. Private to cpm/dataset.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace cpm {

inline constexpr std::string_view kPngMagic = "\x89PNG\r\n\x1a\n";
inline constexpr std::string_view kJpegMagic = "\xff\xd8\xff";

/// BadData about the image `name`.
[[noreturn]] void fail_image(const std::string& name, const std::string& what, const std::string& expected,
                             const std::string& got,
                             const std::string& hint = "replace the file, or leave it out of the data set");

uint32_t big_endian(const uint8_t* bytes, int count);
bool starts_with(std::span<const uint8_t> bytes, std::string_view magic);

/// Walks a JPEG's segments (ITU-T T.81, annex B) from SOI to EOI: lengths, Huffman tables, and that each
/// scan's tables are there. Bytes behind EOI are allowed: cameras append.
void check_jpeg(std::span<const uint8_t> bytes, const std::string& name);

/// Walks a PNG's chunks up to IEND and checks the sums of those that matter for the pixels.
void check_png(std::span<const uint8_t> bytes, const std::string& name);

}  // namespace cpm
