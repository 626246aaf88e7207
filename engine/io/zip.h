// The zip container as far as npz needs it (PKWARE APPNOTE 6.3.10, sections 4.3 and 4.4): entries stored or
// deflated, no encryption, no zip64, everything in memory. Written files depend on their content alone: every
// time stamp is the format's first moment, 1980-01-01 00:00.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace engine {

/// An entry of a file that is being read; `packed` points into the file's bytes.
struct ZipEntry {
  std::string name;
  std::span<const uint8_t> packed;
  bool deflated = false;
  uint32_t size = 0, crc = 0;  // of the unpacked content, as the file claims
};

/// Entries by the central directory, in its order. BadData, with `file` as its place, for a file that is no
/// zip file, is damaged, has two entries in one place or uses what is not read here.
std::vector<ZipEntry> zip_entries(std::span<const uint8_t> bytes, const std::string& file);

/// Content of an entry. BadData where it is larger than `limit`, damaged, or not what size and crc say.
std::vector<uint8_t> unzip(const ZipEntry& entry, uint64_t limit, const std::string& file);

/// Builds a zip file in memory.
class ZipWriter {
 public:
  /// Deflates `content`, given in pieces, into a new entry. CannotWrite where the file would pass 4 GiB or
  /// 65534 entries.
  void add(const std::string& name, std::span<const std::span<const uint8_t>> content);
  /// The whole file; the writer is empty afterwards.
  std::vector<uint8_t> finish();

 private:
  std::vector<uint8_t> bytes_, directory_;
  uint32_t entries_ = 0;
};

}  // namespace engine
