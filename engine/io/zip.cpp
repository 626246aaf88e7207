#include "engine/io/zip.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "engine/io/file.h"
#include "kernels/base/error.h"

// A file is, for each entry, a local header and the packed content; then the central directory, one header an
// entry with the place of the local one; then the end record. Readers start from the end. Sizes are taken
// from the central directory: writers that stream leave them out of the local headers.

namespace engine {
namespace {

using Bytes = std::span<const uint8_t>;

constexpr uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50;
constexpr size_t kLocalBytes = 30, kCentralBytes = 46, kEndBytes = 22, kMostComment = 65535;
constexpr uint16_t kStored = 0, kDeflated = 8, kEncrypted = 1;
constexpr uint16_t kVersion = 20;                  // 2.0: deflate
constexpr uint16_t kTime = 0, kDate = 1 << 5 | 1;  // 1980-01-01 00:00
constexpr uint32_t kMost32 = 0xffffffff;
constexpr uint64_t kMostRatio = 1032;  // of deflate: 258 bytes in two bits

[[noreturn]] void fail(const std::string& file, const std::string& what, const std::string& expected,
                       const std::string& got) {
  throw kernels::Error(kernels::ExitCode::BadData,
                       {.where = file,
                        .what = what,
                        .expected = expected,
                        .got = got,
                        .hint = "the file is damaged, cut short or of another kind; copy it again"});
}

std::string in_quotes(const std::string& name) {
  return fmt::format("'{}'", kernels::printable(name, 80));
}

uint16_t load16(const uint8_t* from) {
  return static_cast<uint16_t>(from[0] | from[1] << 8);
}

uint32_t load32(const uint8_t* from) {
  return load16(from) | static_cast<uint32_t>(load16(from + 2)) << 16;
}

void store16(std::vector<uint8_t>* to, uint32_t value) {
  to->push_back(static_cast<uint8_t>(value));
  to->push_back(static_cast<uint8_t>(value >> 8));
}

void store32(std::vector<uint8_t>* to, uint32_t value) {
  store16(to, value & 0xffff);
  store16(to, value >> 16);
}

/// The central directory's bytes; `count` is the number of entries it is to have.
Bytes find_directory(Bytes bytes, const std::string& file, size_t* count, size_t* begin) {
  const size_t last = bytes.size() < kEndBytes ? 0 : bytes.size() - kEndBytes;
  std::optional<size_t> end;
  for (size_t back = 0; back <= std::min(last, kMostComment) && bytes.size() >= kEndBytes && !end; ++back) {
    const uint8_t* record = bytes.data() + last - back;
    if (load32(record) == kEnd && load16(record + 20) == back) end = last - back;
  }
  if (!end) fail(file, "this is not a zip file", "an end record", "none");
  const uint8_t* record = bytes.data() + *end;
  *count = load16(record + 10);
  const uint64_t size = load32(record + 12), offset = load32(record + 16);
  if (load16(record + 4) != 0 || load16(record + 6) != 0 || load16(record + 8) != *count ||
      *count == 0xffff || size == kMost32 || offset == kMost32) {
    fail(file, "the zip file is split, or in zip64 format", "one file below 4 GiB", "another end record");
  }
  if (offset + size != *end) {
    fail(file, "the zip directory does not end where the end record starts", fmt::format("byte {}", *end),
         fmt::format("byte {}", offset + size));
  }
  *begin = static_cast<size_t>(offset);
  return bytes.subspan(*begin, static_cast<size_t>(size));
}

struct PlacedEntry {
  ZipEntry entry;
  size_t begin = 0;  // of the local header
};

/// Takes an entry off the directory; its content is not looked for yet, only packed.size() is known.
PlacedEntry take_entry(Bytes* directory, uint64_t* packed, const std::string& file) {
  if (directory->size() < kCentralBytes || load32(directory->data()) != kCentral) {
    fail(file, "the zip directory is damaged", "the header of an entry",
         fmt::format("{} bytes", directory->size()));
  }
  const uint8_t* header = directory->data();
  const size_t name = load16(header + 28), extra = load16(header + 30), comment = load16(header + 32);
  if (name + extra + comment > directory->size() - kCentralBytes) {
    fail(file, "the zip directory ends inside an entry",
         fmt::format("{} bytes", kCentralBytes + name + extra + comment),
         fmt::format("{} bytes", directory->size()));
  }
  PlacedEntry placed;
  placed.entry.name.assign(reinterpret_cast<const char*>(header) + kCentralBytes, name);
  const uint16_t flags = load16(header + 8), method = load16(header + 10);
  if ((flags & kEncrypted) != 0 || (method != kStored && method != kDeflated)) {
    fail(file, fmt::format("entry {} is packed in a way that is not read here", in_quotes(placed.entry.name)),
         "stored or deflated", fmt::format("method {}, flags 0x{:x}", method, flags));
  }
  placed.entry.deflated = method == kDeflated;
  placed.entry.crc = load32(header + 16);
  *packed = load32(header + 20);
  placed.entry.size = load32(header + 24);
  placed.begin = load32(header + 42);
  *directory = directory->subspan(kCentralBytes + name + extra + comment);
  return placed;
}

/// Finds the content behind the local header.
void find_content(Bytes bytes, uint64_t packed, PlacedEntry* placed, const std::string& file) {
  const std::string entry = fmt::format("entry {}", in_quotes(placed->entry.name));
  if (placed->begin > bytes.size() || bytes.size() - placed->begin < kLocalBytes ||
      load32(bytes.data() + placed->begin) != kLocal) {
    fail(file, entry + " has no header at its place", fmt::format("a header at byte {}", placed->begin),
         "something else");
  }
  const uint8_t* header = bytes.data() + placed->begin;
  const size_t skip = kLocalBytes + load16(header + 26) + load16(header + 28);
  if (skip + packed > bytes.size() - placed->begin) {
    fail(file, entry + " reaches into the zip directory", fmt::format("at most {} bytes", bytes.size()),
         fmt::format("an end at byte {}", placed->begin + skip + packed));
  }
  placed->entry.packed = bytes.subspan(placed->begin + skip, static_cast<size_t>(packed));
}

/// Two entries in one place could grow to more than the file's size justifies.
void check_disjoint(std::vector<PlacedEntry> entries, const std::string& file) {
  std::sort(entries.begin(), entries.end(),
            [](const PlacedEntry& a, const PlacedEntry& b) { return a.begin < b.begin; });
  for (size_t i = 1; i < entries.size(); ++i) {
    const Bytes before = entries[i - 1].entry.packed, next = entries[i].entry.packed;
    if (entries[i].begin == entries[i - 1].begin || before.data() + before.size() > next.data()) {
      fail(file, fmt::format("entry {} lies over another", in_quotes(entries[i].entry.name)),
           "a place of its own", fmt::format("a header at byte {}", entries[i].begin));
    }
  }
}

/// A raw deflate stream of `pieces`. Z_RLE: tables of counts are short numbers between runs of zeros, which
/// this packs as well as a search for matches does, in a third of the time.
std::vector<uint8_t> deflate_all(std::span<const Bytes> pieces, uint64_t size) {
  z_stream stream{};
  CPM_CHECK(deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 9, Z_RLE) == Z_OK,
            "no memory to deflate");
  std::vector<uint8_t> packed(deflateBound(&stream, size));
  stream.next_out = packed.data();
  stream.avail_out = static_cast<uInt>(packed.size());
  int status = Z_OK;
  for (const Bytes& piece : pieces) {
    stream.next_in = const_cast<Bytef*>(piece.data());  // zlib does not write to its input
    stream.avail_in = static_cast<uInt>(piece.size());
    if (status == Z_OK && !piece.empty()) status = deflate(&stream, Z_NO_FLUSH);
  }
  if (status == Z_OK) status = deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  CPM_CHECK(status == Z_STREAM_END, "deflate failed with {}", status);
  return packed;
}

/// What local and central headers share, from the version on.
void store_common(std::vector<uint8_t>* to, uint32_t crc, uint64_t packed, uint64_t size, size_t name) {
  store16(to, kVersion);
  store16(to, 0);  // flags
  store16(to, kDeflated);
  store16(to, kTime);
  store16(to, kDate);
  store32(to, crc);
  store32(to, static_cast<uint32_t>(packed));
  store32(to, static_cast<uint32_t>(size));
  store16(to, static_cast<uint32_t>(name));
  store16(to, 0);  // extra fields
}

void check_room(bool room) {
  if (room) return;
  throw kernels::Error(kernels::ExitCode::CannotWrite, {.where = "zip file",
                                                        .what = "too large for the format without zip64",
                                                        .expected = "below 4 GiB and at most 65534 entries",
                                                        .got = "more",
                                                        .hint = "split it over more files"});
}

}  // namespace

std::vector<ZipEntry> zip_entries(Bytes bytes, const std::string& file) {
  size_t count = 0, begin = 0;
  Bytes directory = find_directory(bytes, file, &count, &begin);
  std::vector<PlacedEntry> placed;
  for (size_t i = 0; i < count; ++i) {
    uint64_t packed = 0;
    placed.push_back(take_entry(&directory, &packed, file));
    find_content(bytes.first(begin), packed, &placed.back(), file);
  }
  if (!directory.empty()) {
    fail(file, "the zip directory is longer than its entries", fmt::format("{} entries", count),
         fmt::format("{} bytes more", directory.size()));
  }
  check_disjoint(placed, file);
  std::vector<ZipEntry> entries;
  for (PlacedEntry& one : placed) entries.push_back(std::move(one.entry));
  return entries;
}

std::vector<uint8_t> unzip(const ZipEntry& entry, uint64_t limit, const std::string& file) {
  const uint64_t by_ratio = entry.deflated ? kMostRatio * entry.packed.size() : entry.packed.size();
  if (entry.size > std::min(limit, by_ratio) || (!entry.deflated && entry.size != entry.packed.size())) {
    fail(file, fmt::format("entry {} cannot have its size", in_quotes(entry.name)),
         fmt::format("at most {} bytes", std::min(limit, by_ratio)), fmt::format("{} bytes", entry.size));
  }
  std::vector<uint8_t> content(entry.packed.begin(),
                               entry.deflated ? entry.packed.begin() : entry.packed.end());
  if (entry.deflated) {
    content.resize(entry.size);
    uint8_t none = 0;  // zlib wants an address even where nothing is to come
    z_stream stream{};
    CPM_CHECK(inflateInit2(&stream, -MAX_WBITS) == Z_OK, "no memory to inflate");
    stream.next_in = const_cast<Bytef*>(entry.packed.data());  // zlib does not write to its input
    stream.avail_in = static_cast<uInt>(entry.packed.size());
    stream.next_out = content.empty() ? &none : content.data();
    stream.avail_out = entry.size;
    const int status = inflate(&stream, Z_FINISH);
    const bool whole = status == Z_STREAM_END && stream.avail_in == 0 && stream.avail_out == 0;
    inflateEnd(&stream);
    if (!whole) {
      fail(file, fmt::format("the deflated data of entry {} are damaged", in_quotes(entry.name)),
           fmt::format("a stream of {} bytes", entry.size), "another one");
    }
  }
  if (const uint32_t computed = crc32(content); computed != entry.crc) {
    fail(file, fmt::format("the checksum of entry {} is wrong", in_quotes(entry.name)),
         fmt::format("{:08x}", entry.crc), fmt::format("{:08x}", computed));
  }
  return content;
}

void ZipWriter::add(const std::string& name, std::span<const Bytes> content) {
  CPM_CHECK(name.size() <= 0xffff, "a name of {} bytes", name.size());
  uint64_t size = 0;
  uLong crc = ::crc32_z(0, nullptr, 0);
  for (const Bytes& piece : content) {
    size += piece.size();
    if (!piece.empty()) crc = ::crc32_z(crc, piece.data(), piece.size());
  }
  check_room(size < kMost32 - (uint32_t{1} << 20) && entries_ < 0xfffe);
  const std::vector<uint8_t> packed = deflate_all(content, size);
  const size_t begin = bytes_.size();
  const uint64_t rest = kLocalBytes + 2 * name.size() + packed.size() + kCentralBytes + kEndBytes;
  check_room(begin + directory_.size() + rest < kMost32);
  store32(&bytes_, kLocal);
  store_common(&bytes_, static_cast<uint32_t>(crc), packed.size(), size, name.size());
  bytes_.insert(bytes_.end(), name.begin(), name.end());
  bytes_.insert(bytes_.end(), packed.begin(), packed.end());
  store32(&directory_, kCentral);
  store16(&directory_, kVersion);  // made by: the same, on any system
  store_common(&directory_, static_cast<uint32_t>(crc), packed.size(), size, name.size());
  store16(&directory_, 0);  // comment
  store16(&directory_, 0);  // first disk
  store16(&directory_, 0);  // internal attributes
  store32(&directory_, 0);  // external attributes
  store32(&directory_, static_cast<uint32_t>(begin));
  directory_.insert(directory_.end(), name.begin(), name.end());
  ++entries_;
}

std::vector<uint8_t> ZipWriter::finish() {
  const auto begin = static_cast<uint32_t>(bytes_.size());
  bytes_.insert(bytes_.end(), directory_.begin(), directory_.end());
  store32(&bytes_, kEnd);
  store32(&bytes_, 0);  // disks
  store16(&bytes_, entries_);
  store16(&bytes_, entries_);
  store32(&bytes_, static_cast<uint32_t>(directory_.size()));
  store32(&bytes_, begin);
  store16(&bytes_, 0);  // comment
  directory_.clear();
  entries_ = 0;
  return std::exchange(bytes_, {});
}

}  // namespace engine
