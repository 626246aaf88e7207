// The npz format (numpy.lib.format): a zip file of .npy files, each a short text header and an array's
// elements. Little endian, C order, npy version 1.0. Equal arrays give equal files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "engine/io/zip.h"

namespace engine {

/// Element types, numpy's "<f4", "<f8", "<i8", "<u4", "<u8".
enum class NpyType { F32, F64, I64, U32, U64 };

size_t npy_size(NpyType type);

/// An array of a file. `bytes` holds shape's elements of `type` in C order.
struct NpyArray {
  NpyType type = NpyType::F32;
  std::vector<int64_t> shape;
  std::vector<uint8_t> bytes;
};

/// Reads an .npy file from memory; BadData, with `name` as its place, for anything else than said above.
NpyArray parse_npy(std::span<const uint8_t> bytes, const std::string& name);

/// Keeps the file's bytes, as they are packed, and unpacks an array when it is asked for.
class NpzFile {
 public:
  /// Reads the file and checks its directory; BadData names the file and what is wrong.
  static NpzFile read(const std::filesystem::path& path);
  /// The same from memory; `name` stands for the path in errors.
  static NpzFile parse(std::vector<uint8_t> bytes, const std::string& name);

  NpzFile(NpzFile&&) = default;
  NpzFile& operator=(NpzFile&&) = default;

  const std::string& name() const { return name_; }
  /// Names of the arrays, sorted.
  std::vector<std::string> names() const;
  bool contains(const std::string& array) const { return entries_.count(array) != 0; }
  /// The array unpacked; BadData where it is missing (with the nearest name), damaged or over 1 GiB.
  NpyArray array(const std::string& array) const;
  /// Its elements where its type is T, or one that T holds exactly (U32 in uint64_t, F32 in double); BadData
  /// for another type. `shape` may be null. T: int64_t, uint64_t or double.
  template <class T>
  std::vector<T> values(const std::string& array, std::vector<int64_t>* shape = nullptr) const;

 private:
  NpzFile() = default;

  std::string name_;
  std::vector<uint8_t> bytes_;
  std::map<std::string, ZipEntry> entries_;  // point into bytes_
};

/// An array to be written: `data` holds shape's elements of `type` in C order.
struct ArrayToStore {
  std::string name;
  NpyType type = NpyType::F32;
  std::vector<int64_t> shape;
  const void* data = nullptr;
};

/// Writes atomically (engine::write_file), deflated, in the order given. CannotWrite from 4 GiB on.
void write_npz(const std::filesystem::path& path, std::span<const ArrayToStore> arrays);

}  // namespace engine
