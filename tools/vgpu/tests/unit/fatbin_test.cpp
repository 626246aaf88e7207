// Fat binaries put together by hand: plain, LZ4 and zstd entries, machine code beside PTX, the choice for a
// device.
#include "runtime/fatbin.h"

#include <lz4.h>
#include <zstd.h>

#include <cstring>
#include <string>
#include <vector>

#include "tests/unit/catch.h"

using namespace vgpu::runtime;

namespace {

constexpr uint64_t kLz4 = 0x2000, kZstd = 0x8000, kSpecific = 0x100000, kFamily = 0x200000;

template <class T>
void put(std::vector<uint8_t>& bytes, size_t offset, T value) {
  if (bytes.size() < offset + sizeof value) bytes.resize(offset + sizeof value);
  std::memcpy(bytes.data() + offset, &value, sizeof value);
}

std::vector<uint8_t> entry(uint16_t kind, uint32_t architecture, uint64_t flags, const std::string& payload,
                           uint32_t compressed, uint64_t raw) {
  constexpr uint32_t kHeader = 72;
  std::vector<uint8_t> bytes(kHeader);
  const uint64_t padded = (payload.size() + 7) / 8 * 8;
  put<uint16_t>(bytes, 0, kind);
  put<uint16_t>(bytes, 2, 0x101);
  put<uint32_t>(bytes, 4, kHeader);
  put<uint64_t>(bytes, 8, padded);
  put<uint32_t>(bytes, 16, compressed);
  put<uint32_t>(bytes, 28, architecture);
  put<uint64_t>(bytes, 40, flags);
  put<uint64_t>(bytes, 56, raw);
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  bytes.resize(kHeader + padded);
  return bytes;
}

std::vector<uint8_t> plain(uint32_t architecture, const std::string& text, uint64_t flags = 0) {
  return entry(1, architecture, flags, text, 0, 0);
}

std::vector<uint8_t> zstd(uint32_t architecture, const std::string& text) {
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 3));
  return entry(1, architecture, kZstd, packed, static_cast<uint32_t>(packed.size()), text.size());
}

std::vector<uint8_t> lz4(uint32_t architecture, const std::string& text) {
  std::string packed(static_cast<size_t>(LZ4_compressBound(static_cast<int>(text.size()))), '\0');
  const int size = LZ4_compress_default(text.data(), packed.data(), static_cast<int>(text.size()),
                                        static_cast<int>(packed.size()));
  packed.resize(static_cast<size_t>(size));
  return entry(1, architecture, kLz4, packed, static_cast<uint32_t>(size), text.size());
}

std::vector<uint8_t> container(const std::vector<std::vector<uint8_t>>& entries) {
  std::vector<uint8_t> bytes(16);
  for (const auto& one : entries) bytes.insert(bytes.end(), one.begin(), one.end());
  put<uint32_t>(bytes, 0, 0xBA55ED50);
  put<uint16_t>(bytes, 4, 1);
  put<uint16_t>(bytes, 6, 16);
  put<uint64_t>(bytes, 8, bytes.size() - 16);
  return bytes;
}

struct Wrapper {
  uint32_t magic = 0x466243B1, version = 1;
  const void* data = nullptr;
  const void* unused = nullptr;
};

std::string text_of(const PtxEntry& found) {
  std::string text;
  REQUIRE(found.read(text));
  return text;
}

std::string long_text() {
  std::string text = ".version 9.0\n.target sm_80\n";
  for (int i = 0; i < 200; i++) text += "// line " + std::to_string(i) + "\n";
  return text;
}

}  // namespace

TEST_CASE("a wrapper's entries are found, machine code is passed over", "[fatbin]") {
  const auto bytes = container({entry(2, 90, 0, "machine code", 0, 0), plain(80, "ptx for 80")});
  Wrapper wrapper;
  wrapper.data = bytes.data();
  const auto entries = ptx_entries(&wrapper);
  REQUIRE(entries.size() == 1);
  CHECK(entries[0].architecture == 80);
  CHECK(text_of(entries[0]) == "ptx for 80");
  CHECK(ptx_entries(bytes.data()).size() == 1);
}

TEST_CASE("a container within a container is read", "[fatbin]") {
  const auto inner = container({plain(75, "inner")});
  const auto bytes = container({entry(1, 0, 0, std::string(inner.begin(), inner.end()), 0, 0)});
  const auto entries = ptx_entries(bytes.data());
  REQUIRE(entries.size() == 1);
  CHECK(text_of(entries[0]) == "inner");
}

TEST_CASE("compressed entries come out as they went in", "[fatbin]") {
  const auto bytes = container({zstd(80, long_text()), lz4(90, long_text())});
  const auto entries = ptx_entries(bytes.data());
  REQUIRE(entries.size() == 2);
  CHECK(text_of(entries[0]) == long_text());
  CHECK(text_of(entries[1]) == long_text());
}

TEST_CASE("damaged entries are refused", "[fatbin]") {
  std::string text;
  for (auto make : {zstd, lz4}) {
    auto bytes = container({make(80, long_text())});
    std::memset(bytes.data() + 16 + 72, 0xFF, 40);
    const auto entries = ptx_entries(bytes.data());
    REQUIRE(entries.size() == 1);
    CHECK_FALSE(entries[0].read(text));
  }
  auto cut = container({plain(80, "text")});
  put<uint64_t>(cut, 16 + 8, 1 << 20);  // a payload that leaves the container
  CHECK(ptx_entries(cut.data()).empty());
  const uint64_t noise[4] = {1, 2, 3, 4};
  CHECK(ptx_entries(noise).empty());
}

TEST_CASE("a device gets the newest portable text that it can run", "[fatbin]") {
  const auto bytes = container({plain(75, "75"), plain(90, "90"), plain(80, "80"), plain(120, "120")});
  const auto entries = ptx_entries(bytes.data());
  const auto chosen = [&](uint32_t capability) {
    return best_entry(entries, capability, false)->architecture;
  };
  CHECK(chosen(75) == 75);
  CHECK(chosen(80) == 80);
  CHECK(chosen(89) == 80);
  CHECK(chosen(100) == 90);
  CHECK(chosen(121) == 120);
  CHECK(best_entry(entries, 70, false) == nullptr);
}

TEST_CASE("code for one architecture or family", "[fatbin]") {
  const auto bytes = container({plain(90, "90a", kSpecific), plain(120, "120f", kFamily)});
  const auto entries = ptx_entries(bytes.data());
  CHECK(best_entry(entries, 90, false) == &entries[0]);
  CHECK(best_entry(entries, 100, false) == nullptr);
  CHECK(best_entry(entries, 100, true) == &entries[0]);  // nobody asked for 10.0
  CHECK(best_entry(entries, 121, false) == &entries[1]);
  CHECK(best_entry(entries, 80, true) == nullptr);
}

TEST_CASE("portable code goes before code for one architecture", "[fatbin]") {
  const auto bytes = container({plain(90, "90a", kSpecific), plain(80, "80")});
  const auto entries = ptx_entries(bytes.data());
  CHECK(best_entry(entries, 90, false)->architecture == 80);
}
