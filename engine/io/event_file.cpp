// Wire format: a field is a varint (number << 3 | type) and its content: type 0 a varint, 1 eight bytes, 2 a
// length and bytes, 5 four bytes, all little endian (protobuf.dev/programming-guides/encoding).
#include "engine/io/event_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstring>
#include <system_error>
#include <utility>

#include "engine/io/file.h"
#include "kernels/base/error.h"

namespace engine {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "events.out.tfevents.";

enum WireType : uint64_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

void put_varint(std::string* out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>(value | 0x80));
  out->push_back(static_cast<char>(value));
}

template <class T>
void put_fixed(std::string* out, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out->append(bytes, sizeof value);
}

void put_tag(std::string* out, int field, WireType type) {
  put_varint(out, static_cast<uint64_t>(field) << 3 | type);
}

void put_integer(std::string* out, int field, int64_t value) {
  put_tag(out, field, kVarint);
  put_varint(out, static_cast<uint64_t>(value));
}

void put_double(std::string* out, int field, double value) {
  put_tag(out, field, kFixed64);
  put_fixed(out, value);
}

void put_bytes(std::string* out, int field, std::string_view bytes) {
  put_tag(out, field, kBytes);
  put_varint(out, bytes.size());
  out->append(bytes);
}

void put_doubles(std::string* out, int field, std::span<const double> values) {
  std::string packed;
  for (const double value : values) put_fixed(&packed, value);
  put_bytes(out, field, packed);
}

constexpr std::array<uint32_t, 256> crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0u);
    table[i] = crc;
  }
  return table;
}

/// A checksum of data that holds checksums is weak; the format therefore turns it and adds a constant.
uint32_t masked_crc(std::string_view bytes) {
  const uint32_t crc = crc32c({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
  return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

std::string record(const std::string& message) {
  std::string out;
  put_fixed(&out, uint64_t{message.size()});
  put_fixed(&out, masked_crc(out));
  out += message;
  put_fixed(&out, masked_crc(message));
  return out;
}

/// An Event of now, without what it tells.
std::string event(int64_t step) {
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  std::string out;
  put_double(&out, 1, now.count());
  if (step != 0) put_integer(&out, 2, step);
  return out;
}

/// SECONDS of a file's name, -1 for other names.
int64_t seconds_of(const std::string& name) {
  int64_t seconds = -1;
  if (name.compare(0, kPrefix.size(), kPrefix) != 0) return -1;
  std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), seconds);
  return seconds;
}

fs::path next_path(const fs::path& folder) {
  using std::chrono::seconds;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  int64_t time = std::chrono::duration_cast<seconds>(now).count();
  int number = 0;
  std::error_code missing;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, missing)) {
    const int64_t before = seconds_of(entry.path().filename().string());
    if (before < 0) continue;
    time = std::max(time, before);  // another machine's clock may be ahead
    ++number;
  }
  return folder / fmt::format("{}{:010}.{:04}", kPrefix, time, number);
}

}  // namespace

void EventSummary::add(const std::string& tag, const std::string& value) {
  std::string whole;
  put_bytes(&whole, 1, tag);
  put_bytes(&bytes_, 1, whole + value);
}

void EventSummary::scalar(const std::string& tag, double value) {
  std::string out;
  put_tag(&out, 2, kFixed32);
  put_fixed(&out, static_cast<float>(value));
  add(tag, out);
}

void EventSummary::histogram(const std::string& tag, const EventHistogram& h) {
  CPM_CHECK(!h.counts.empty() && h.edges.size() == h.counts.size() + 1, "{} edges for {} counts",
            h.edges.size(), h.counts.size());
  double number = 0, sum = 0, squares = 0;
  for (size_t i = 0; i < h.counts.size(); ++i) {
    const double middle = (h.edges[i] + h.edges[i + 1]) / 2;
    number += h.counts[i];
    sum += h.counts[i] * middle;
    squares += h.counts[i] * middle * middle;
  }
  std::string proto, out;
  int field = 0;
  for (const double value : {h.edges.front(), h.edges.back(), number, sum, squares}) {
    put_double(&proto, ++field, value);
  }
  put_doubles(&proto, 6, std::span(h.edges).subspan(1));
  put_doubles(&proto, 7, h.counts);
  put_bytes(&out, 5, proto);
  add(tag, out);
}

void EventSummary::image(const std::string& tag, std::span<const uint8_t> png) {
  constexpr size_t kWidth = 16, kHeight = 20, kRgb = 3;  // the header's numbers are big endian
  CPM_CHECK(png.size() > kHeight + 4, "{} bytes are no PNG file", png.size());
  const auto number = [&](size_t at) {
    return int64_t{png[at]} << 24 | int64_t{png[at + 1]} << 16 | int64_t{png[at + 2]} << 8 | png[at + 3];
  };
  std::string proto, out;
  put_integer(&proto, 1, number(kHeight));
  put_integer(&proto, 2, number(kWidth));
  put_integer(&proto, 3, kRgb);
  put_bytes(&proto, 4, {reinterpret_cast<const char*>(png.data()), png.size()});
  put_bytes(&out, 4, proto);
  add(tag, out);
}

EventFile::EventFile(const fs::path& folder) : path_(next_path(folder)) {
  std::string version = event(0);
  put_bytes(&version, 3, "brain.Event:2");
  head_ = record(version);
}

void EventFile::restart(int64_t step) {
  std::string log, start = event(step);
  put_integer(&log, 1, 1);  // SessionLog: status START
  put_bytes(&start, 7, log);
  head_ += record(start);
}

std::string EventFile::append(int64_t step, const EventSummary& summary) {
  std::string message = event(step);
  put_bytes(&message, 5, summary.bytes());
  std::string failure = append_text(path_, head_ + record(message));
  if (failure.empty()) head_.clear();
  return failure;
}

uint32_t crc32c(std::span<const uint8_t> bytes) {
  static constexpr std::array<uint32_t, 256> kTable = crc_table();
  uint32_t crc = 0xffffffffu;
  for (const uint8_t byte : bytes) crc = crc >> 8 ^ kTable[(crc ^ byte) & 0xff];
  return ~crc;
}

}  // namespace engine
