// The safetensors format (huggingface/safetensors README): u64 header length, JSON header, data. Reading
// enforces every rule (length caps, no holes, no overlap, sorted coverage to the last byte, no duplicate
// keys, known types, shape times size = bytes); writing is deterministic: equal tensors and metadata give
// equal files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "kernels/base/types.h"

namespace engine {

/// A tensor in a file that is being read. `bytes` points into the file's buffer, little endian, C order.
struct StoredTensor {
  std::string dtype;  // "F32", "F64", "I64", "U8", ...: any of the format's names
  std::vector<int64_t> shape;
  std::span<const uint8_t> bytes;

  int64_t count() const;
};

/// Tensors point into the file's own buffer, so a file can be moved but not copied.
class SafetensorsFile {
 public:
  SafetensorsFile() = default;
  SafetensorsFile(SafetensorsFile&&) = default;
  SafetensorsFile& operator=(SafetensorsFile&&) = default;

  /// Reads and checks the whole file; BadData names the file and the broken rule.
  static SafetensorsFile read(const std::filesystem::path& path);
  /// The same from memory; `name` stands for the path in errors.
  static SafetensorsFile parse(std::vector<uint8_t> bytes, const std::string& name);

  const std::map<std::string, StoredTensor>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const std::string& name() const { return name_; }
  /// The JSON header as it stands in the file, padding included.
  std::span<const uint8_t> header() const { return header_; }

  bool contains(const std::string& tensor) const { return tensors_.count(tensor) != 0; }
  /// The tensor; BadData naming the file and the nearest existing name where it is missing.
  const StoredTensor& at(const std::string& tensor) const;
  /// Elements converted to T (float or double) from F32 or F64; BadData for another type.
  template <class T>
  std::vector<T> values(const std::string& tensor) const;

 private:
  std::string name_;
  std::vector<uint8_t> buffer_;
  std::span<const uint8_t> header_;
  std::map<std::string, StoredTensor> tensors_;
  std::map<std::string, std::string> metadata_;
};

/// A tensor to be written: `data` holds shape's elements of `dtype` in C order, native (little) endian.
struct TensorToStore {
  std::string name;
  kernels::DType dtype = kernels::DType::F32;
  std::vector<int64_t> shape;
  const void* data = nullptr;
};

/// Writes atomically (engine::write_file): data sorted by alignment (widest first) then name, header padded
/// with spaces to 8 bytes. With `checksums`, __metadata__ gains "crc32.<tensor>" for each tensor and
/// "crc32.header" over the header's JSON with that value's digits as zeros (8 lower-case hexadecimal digits
/// each).
void write_safetensors(const std::filesystem::path& path, std::vector<TensorToStore> tensors,
                       std::map<std::string, std::string> metadata, bool checksums = false);

/// Checks the checksums that write_safetensors put in; BadData where one is missing or wrong.
void verify_checksums(const SafetensorsFile& file);

}  // namespace engine
