// Six series colours that stay apart for the common colour blindnesses (after the idea of Okabe and Ito: vary
// lightness and warmth together, no pure red against pure green), tuned once for each ground; the last, whose
// answer counts, has the ink's own colour.
#include "cpm/report/theme.h"

#include <fmt/format.h>

namespace cpm {
namespace {

struct Entry {
  const char* name;
  uint32_t colors[3];  // light, dark, print
};

constexpr Entry kTones[] = {
    {"ground", {0xf6f7f9, 0x10141a, 0xffffff}}, {"card", {0xffffff, 0x181d25, 0xffffff}},
    {"ink", {0x1a2028, 0xe9edf2, 0x000000}},    {"soft", {0x5b6573, 0x9aa6b4, 0x444444}},
    {"line", {0xe2e6eb, 0x2a323d, 0xcccccc}},   {"grid", {0xeaedf1, 0x252c36, 0xe4e4e4}},
    {"accent", {0x0f6ab4, 0x5db3f0, 0x0f6ab4}}, {"s1", {0x0f6ab4, 0x5db3f0, 0x0f6ab4}},
    {"s2", {0xd4570a, 0xff8f4f, 0xd4570a}},     {"s3", {0x0a8f6a, 0x36c79a, 0x0a8f6a}},
    {"s4", {0xb8458f, 0xea94cb, 0xb8458f}},     {"s5", {0x927000, 0xdcbc45, 0x927000}},
    {"s6", {0x333c48, 0xd9e0e8, 0x333c48}},     {"warm", {0xe2711d, 0xff9248, 0xe2711d}},
    {"cool", {0x2f7fd6, 0x5aa6f5, 0x2f7fd6}},   {"middle", {0x8b95a1, 0x8d98a6, 0x8b95a1}},
};
static_assert(std::size(kTones) == static_cast<size_t>(Tone::Middle) + 1);

uint32_t packed(const Entry& entry, Theme theme) {
  return entry.colors[static_cast<size_t>(theme)];
}

}  // namespace

Color tone_color(Tone tone, Theme theme) {
  const uint32_t rgb = packed(kTones[static_cast<size_t>(tone)], theme);
  return {static_cast<uint8_t>(rgb >> 16), static_cast<uint8_t>(rgb >> 8), static_cast<uint8_t>(rgb)};
}

const char* tone_name(Tone tone) {
  return kTones[static_cast<size_t>(tone)].name;
}

std::string theme_properties(Theme theme) {
  std::string text;
  for (const Entry& entry : kTones) text += fmt::format("--{}:#{:06x};", entry.name, packed(entry, theme));
  return text;
}

std::string color_text(Color color) {
  return fmt::format("#{:02x}{:02x}{:02x}", color[0], color[1], color[2]);
}

}  // namespace cpm
