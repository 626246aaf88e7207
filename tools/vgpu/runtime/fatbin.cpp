// Reading fat binaries: finding the PTX entries, choosing one and decompressing it (zstd is nvcc 13's
// default, LZ4 its predecessor's).
#include "runtime/fatbin.h"

#include <lz4.h>
#include <zstd.h>

#include <cstring>
#include <limits>

#include "core/report.h"

namespace vgpu::runtime {
namespace {

constexpr uint32_t kWrapperMagic = 0x466243B1;
constexpr uint32_t kContainerMagic = 0xBA55ED50;
constexpr uint16_t kPtx = 1;
constexpr uint64_t kLz4 = 0x2000, kZstd = 0x8000;
constexpr uint64_t kArchitectureOnly = 0x100000, kFamilyOnly = 0x200000;
constexpr uint64_t kContainerHeader = 16, kEntryHeader = 64;

template <class T>
T field(const uint8_t* at, size_t offset) {
  T value;
  std::memcpy(&value, at + offset, sizeof value);
  return value;
}

// Entries of one container; a payload may be a container again.
void collect(const uint8_t* container, std::vector<PtxEntry>& entries, int depth) {
  if (field<uint32_t>(container, 0) != kContainerMagic || depth > 2) return;
  const uint64_t header = field<uint16_t>(container, 6);
  const uint64_t size = field<uint64_t>(container, 8);
  if (header < kContainerHeader) return;
  uint64_t offset = 0;
  while (offset + kEntryHeader <= size) {
    const uint8_t* entry = container + header + offset;
    const uint64_t entry_header = field<uint32_t>(entry, 4);
    const uint64_t padded = field<uint64_t>(entry, 8);
    if (entry_header < kEntryHeader || entry_header > size - offset || padded > size - offset - entry_header)
      return;
    const uint8_t* payload = entry + entry_header;
    if (padded >= kContainerHeader && field<uint32_t>(payload, 0) == kContainerMagic) {
      collect(payload, entries, depth + 1);
    } else if (field<uint16_t>(entry, 0) == kPtx) {
      PtxEntry found;
      found.payload = payload;
      found.flags = field<uint64_t>(entry, 40);
      found.architecture = field<uint32_t>(entry, 28);
      found.raw_bytes = field<uint64_t>(entry, 56);
      const uint64_t compressed = field<uint32_t>(entry, 16);
      found.stored_bytes = compressed != 0 && compressed <= padded ? compressed : padded;
      entries.push_back(found);
    }
    offset += entry_header + padded;
  }
}

bool inflate_zstd(const PtxEntry& entry, std::string& text) {
  const size_t size = ZSTD_decompress(text.data(), text.size(), entry.payload, entry.stored_bytes);
  if (ZSTD_isError(size) != 0) return false;
  text.resize(size);
  return true;
}

bool inflate_lz4(const PtxEntry& entry, std::string& text) {
  constexpr uint64_t kMost = std::numeric_limits<int>::max();
  if (entry.stored_bytes > kMost || text.size() > kMost) return false;
  const int size = LZ4_decompress_safe(reinterpret_cast<const char*>(entry.payload), text.data(),
                                       static_cast<int>(entry.stored_bytes), static_cast<int>(text.size()));
  if (size < 0) return false;
  text.resize(static_cast<size_t>(size));
  return true;
}

}  // namespace

bool PtxEntry::specific() const {
  return (flags & (kArchitectureOnly | kFamilyOnly)) != 0;
}

bool PtxEntry::read(std::string& text) const {
  constexpr uint64_t kSane = 1ull << 31;
  if ((flags & (kLz4 | kZstd)) == 0) {
    text.assign(reinterpret_cast<const char*>(payload), stored_bytes);
  } else {
    if (raw_bytes == 0 || raw_bytes > kSane) return false;
    text.resize(raw_bytes);
    if (!((flags & kZstd) != 0 ? inflate_zstd(*this, text) : inflate_lz4(*this, text))) return false;
  }
  const size_t end = text.find('\0');  // the text is padded with zeros
  if (end != std::string::npos) text.resize(end);
  return true;
}

std::vector<PtxEntry> ptx_entries(const void* fat_binary) {
  std::vector<PtxEntry> entries;
  const auto* bytes = static_cast<const uint8_t*>(fat_binary);
  if (field<uint32_t>(bytes, 0) == kWrapperMagic) {
    constexpr uint32_t kRelocatable = 2;  // the device code of several files would have to be linked
    if (field<uint32_t>(bytes, 4) == kRelocatable) {
      report_line("programs compiled with -rdc=true are not supported by the virtual GPU");
      return entries;
    }
    bytes = field<const uint8_t*>(bytes, 8);
    if (bytes == nullptr) return entries;
  }
  collect(bytes, entries, 0);
  return entries;
}

const PtxEntry* best_entry(const std::vector<PtxEntry>& entries, uint32_t capability, bool lenient) {
  const PtxEntry* portable = nullptr;
  const PtxEntry* exact = nullptr;
  const PtxEntry* older = nullptr;
  for (const PtxEntry& entry : entries) {
    if (entry.architecture > capability) continue;
    const bool family = (entry.flags & kFamilyOnly) != 0 && entry.architecture / 10 == capability / 10;
    const bool fits = !entry.specific() || family || entry.architecture == capability;
    const PtxEntry*& best = !fits ? older : entry.specific() ? exact : portable;
    if (best == nullptr || entry.architecture > best->architecture) best = &entry;
  }
  if (portable != nullptr) return portable;
  if (exact != nullptr) return exact;
  return lenient ? older : nullptr;
}

}  // namespace vgpu::runtime
