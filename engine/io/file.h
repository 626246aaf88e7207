// Whole files in and out. Writing is atomic: a sibling temporary file is filled, flushed to disk, read back
// and compared, then renamed over the target, then the directory is flushed: a reader sees the old or the new
// file, never half of one ("All File Systems Are Not Created Equal", OSDI 2014).
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace engine {

/// Reads a whole file. BadData where it is missing, a directory, unreadable or larger than `limit` bytes.
std::vector<uint8_t> read_file(const std::filesystem::path& path, uint64_t limit);
std::string read_text(const std::filesystem::path& path, uint64_t limit);

/// Replaces `path` by the pieces, one after the other. CannotWrite where the file cannot be created, IoError
/// where writing fails half-way (message says the path, the bytes needed and the system's reason); the old
/// file stays.
void write_file(const std::filesystem::path& path, std::span<const std::span<const uint8_t>> pieces);
void write_text(const std::filesystem::path& path, std::string_view text);

/// Appends the text in one write, to a new file if need be; empty on success, else the reason. What a full
/// disk cut short is taken back.
std::string append_text(const std::filesystem::path& path, const std::string& text);

/// Removes what an interrupted write_file left beside its targets in `folder`: names ".NAME.tmp.PID".
void remove_stale_temporaries(const std::filesystem::path& folder);

/// CRC-32 (zlib) of the bytes.
uint32_t crc32(std::span<const uint8_t> bytes);

}  // namespace engine
