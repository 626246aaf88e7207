// stb_image fills what a cut file lacks, knows no check sums and, up to 2.27, believes a JPEG's tables:
// counts of codes that sum to more than 256 are written behind its arrays, and codes of a table that no
// segment defined are read from whatever the memory held. So a file gets to it only when it was walked from
// the first byte to the end marker.
#include "cpm/dataset/image_check.h"

#include <array>
#include <cstring>
#include <map>

#include "engine/io/file.h"
#include "kernels/base/error.h"

namespace cpm {
namespace {

using Bytes = std::span<const uint8_t>;

[[noreturn]] void fail_truncated(const std::string& name, const std::string& kind, size_t size) {
  fail_image(name, "the image is truncated", "a whole " + kind,
             fmt::format("{} bytes without its end marker", size));
}

constexpr uint8_t kStuffing = 0x00, kTemporary = 0x01, kBaseline = 0xc0, kProgressive = 0xc2, kHuffman = 0xc4,
                  kRestart0 = 0xd0, kRestart7 = 0xd7, kEndOfImage = 0xd9, kScan = 0xda, kQuantisation = 0xdb;

bool is_restart(uint8_t marker) {
  return marker >= kRestart0 && marker <= kRestart7;
}

/// The tables that the segments so far define, and what the frame asks of them.
class JpegTables {
 public:
  explicit JpegTables(const std::string& name) : name_(name) {}

  /// DHT (B.2.4.2): class and place, 16 counts, as many values as they sum to; again.
  void huffman(Bytes rest) {
    constexpr size_t kCounts = 16, kMostValues = 256;
    while (!rest.empty()) {
      size_t values = 0;
      for (size_t i = 1; i <= kCounts && i < rest.size(); ++i) values += rest[i];
      const size_t size = 1 + kCounts + values;
      if (values > kMostValues || size > rest.size()) {
        damaged("a Huffman table of at most 256 values, whole",
                fmt::format("one of {} values in {} bytes", values, rest.size()));
      }
      std::array<bool, 4>& known = rest[0] >> 4 == 0 ? dc_ : ac_;
      if (rest[0] >> 4 <= 1 && (rest[0] & 15) < 4) known[rest[0] & 15] = true;
      rest = rest.subspan(size);
    }
  }

  /// DQT (B.2.4.1): precision and place, 64 values of one or two bytes; again.
  void quantisation(Bytes rest) {
    while (!rest.empty()) {
      const size_t size = 1 + (rest[0] >> 4 == 0 ? 64u : 128u);
      if (size > rest.size()) damaged("a whole table of 64 factors", fmt::format("{} bytes", rest.size()));
      if ((rest[0] & 15) < 4) quantisation_[rest[0] & 15] = true;
      rest = rest.subspan(size);
    }
  }

  /// SOF (B.2.2): precision, height, width, then three bytes a component.
  void frame(uint8_t marker, Bytes rest) {
    progressive_ = marker == kProgressive;
    for (size_t at = 6; at + 3 <= rest.size(); at += 3) factors_[rest[at]] = rest[at + 2];
  }

  /// SOS (B.2.3): two bytes a component, then the band of coefficients.
  void scan(Bytes rest) const {
    const size_t parts = rest.empty() ? 0 : rest[0];
    if (rest.size() < 1 + 2 * parts + 3)
      damaged("a whole head of a scan", fmt::format("{} bytes", rest.size()));
    const bool first_band = rest[1 + 2 * parts] == 0;
    for (size_t i = 0; i < parts; ++i) {
      const uint8_t component = rest[1 + 2 * i], places = rest[2 + 2 * i];
      const auto factors = factors_.find(component);
      if (factors == factors_.end())
        damaged("a scan of the frame's components", fmt::format("component {}", component));
      const bool needs_dc = !progressive_ || first_band, needs_ac = !progressive_ || !first_band;
      need(quantisation_, factors->second, "quantisation");
      if (needs_dc) need(dc_, places >> 4, "Huffman");
      if (needs_ac) need(ac_, places & 15, "Huffman");
    }
  }

 private:
  [[noreturn]] void damaged(const std::string& expected, const std::string& got) const {
    fail_image(name_, "the image is damaged", expected, got);
  }
  void need(const std::array<bool, 4>& known, int place, const char* kind) const {
    if (place > 3 || !known[static_cast<size_t>(place)]) {
      damaged(fmt::format("every {} table that a scan uses", kind), fmt::format("none in place {}", place));
    }
  }

  const std::string& name_;
  std::array<bool, 4> dc_{}, ac_{}, quantisation_{};
  std::map<uint8_t, uint8_t> factors_;  // of each component, the place of its quantisation table
  bool progressive_ = false;
};

/// The place of the first marker behind a scan's entropy-coded bytes: neither stuffing nor a restart.
size_t end_of_scan(Bytes bytes, size_t at) {
  while (at + 1 < bytes.size() &&
         !(bytes[at] == 0xff && bytes[at + 1] != kStuffing && !is_restart(bytes[at + 1]))) {
    ++at;
  }
  return at;
}

}  // namespace

void fail_image(const std::string& name, const std::string& what, const std::string& expected,
                const std::string& got, const std::string& hint) {
  throw kernels::Error(kernels::ExitCode::BadData,
                       {.where = name, .what = what, .expected = expected, .got = got, .hint = hint});
}

uint32_t big_endian(const uint8_t* bytes, int count) {
  uint32_t value = 0;
  for (int i = 0; i < count; ++i) value = value << 8 | bytes[i];
  return value;
}

bool starts_with(Bytes bytes, std::string_view magic) {
  return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
}

void check_jpeg(Bytes bytes, const std::string& name) {
  JpegTables tables(name);
  bool any_scan = false;
  size_t at = 2;
  for (;;) {
    if (at + 2 > bytes.size()) fail_truncated(name, "JPEG", bytes.size());
    const uint8_t marker = bytes[at + 1];
    if (bytes[at] != 0xff || marker == kStuffing) {
      fail_image(name, "the image is damaged", "a JPEG marker",
                 fmt::format("byte 0x{:02x} at offset {}", bytes[at], at));
    }
    if (marker == 0xff) {  // fill byte
      ++at;
      continue;
    }
    at += 2;
    if (marker == kEndOfImage) break;
    if (marker == kTemporary || is_restart(marker)) continue;
    if (at + 2 > bytes.size()) fail_truncated(name, "JPEG", bytes.size());
    const uint32_t length = big_endian(&bytes[at], 2);
    if (length < 2) {
      fail_image(name, "the image is damaged", "a segment of 2 or more bytes", fmt::format("{}", length));
    }
    if (length > bytes.size() - at) fail_truncated(name, "JPEG", bytes.size());
    const Bytes content = bytes.subspan(at + 2, length - 2);
    if (marker == kHuffman) tables.huffman(content);
    if (marker == kQuantisation) tables.quantisation(content);
    if (marker >= kBaseline && marker <= kProgressive) tables.frame(marker, content);
    at += length;
    if (marker != kScan) continue;
    tables.scan(content);
    any_scan = true;
    at = end_of_scan(bytes, at);
  }
  if (!any_scan) fail_image(name, "the image is damaged", "a JPEG with pixels", "no scan");
}

void check_png(Bytes bytes, const std::string& name) {
  constexpr size_t kFrame = 12;  // length, type, check sum
  size_t at = kPngMagic.size();
  for (;;) {
    if (bytes.size() - at < kFrame) fail_truncated(name, "PNG", bytes.size());
    const uint32_t length = big_endian(&bytes[at], 4);
    if (length > bytes.size() - at - kFrame) fail_truncated(name, "PNG", bytes.size());
    const Bytes type = bytes.subspan(at + 4, 4);
    const bool critical = (type[0] & 0x20) == 0;
    const uint32_t stored = big_endian(&bytes[at + 8 + length], 4);
    const uint32_t computed = engine::crc32(bytes.subspan(at + 4, size_t{4} + length));
    if (critical && stored != computed) {
      fail_image(name, "the image is damaged",
                 fmt::format("check sum {:08x} of the chunk at byte {}", stored, at),
                 fmt::format("{:08x}", computed));
    }
    if (starts_with(type, "IEND")) return;
    at += kFrame + length;
  }
}

}  // namespace cpm
