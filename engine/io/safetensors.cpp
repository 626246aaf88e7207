#include "engine/io/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string_view>

#include "engine/io/file.h"
#include "engine/io/safetensors_header.h"
#include "kernels/base/error.h"
#include "kernels/base/nearest.h"

// u64 little-endian header length N, N bytes of JSON, data. The data section may start at any address, so
// elements are only ever copied out of it, never read in place.

namespace engine {
namespace {

using kernels::Error;
using kernels::ExitCode;

constexpr uint64_t kMaxHeaderBytes = 100'000'000;
// Larger than any checkpoint of this project by far; keeps a wrong file name from filling the memory.
constexpr uint64_t kMaxFileBytes = uint64_t{16} << 30;
constexpr const char* kDamaged = "the file is damaged or cut short; copy or download it again";
constexpr std::string_view kHeaderDigits = "\"crc32.header\":\"";
constexpr std::string_view kZeroDigits = "00000000";

[[noreturn]] void fail(const std::string& file, const std::string& what, const std::string& expected,
                       const std::string& got, const std::string& hint = kDamaged) {
  throw Error(ExitCode::BadData,
              {.where = file, .what = what, .expected = expected, .got = got, .hint = hint});
}

std::string quoted(const std::string& name) {
  return fmt::format("'{}'", kernels::printable(name, 80));
}

/// Bits of an element; none for an unknown name.
std::optional<uint64_t> dtype_bits(const std::string& dtype) {
  struct Row {
    std::string_view name;
    uint64_t bits;
  };
  static constexpr Row kRows[] = {
      {"BOOL", 8},    {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6},     {"U8", 8},          {"I8", 8},
      {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},
      {"U16", 16},    {"F16", 16},    {"BF16", 16},   {"I32", 32},        {"U32", 32},        {"F32", 32},
      {"C64", 64},    {"F64", 64},    {"I64", 64},    {"U64", 64}};
  for (const Row& row : kRows) {
    if (row.name == dtype) return row.bits;
  }
  return std::nullopt;
}

uint64_t little_endian(const uint8_t* bytes) {
  uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = value << 8 | bytes[i];
  return value;
}

/// The JSON header's bytes in a file, after the checks of its length.
std::span<const uint8_t> find_header(std::span<const uint8_t> bytes, const std::string& file) {
  if (bytes.size() < 8) {
    fail(file, "the file is too short for safetensors", "at least 8 bytes",
         fmt::format("{} bytes", bytes.size()));
  }
  const uint64_t length = little_endian(bytes.data());
  if (length > kMaxHeaderBytes) {
    fail(file, "the header is too long, or this is not a safetensors file",
         fmt::format("at most {} bytes", kMaxHeaderBytes), fmt::format("{} bytes", length),
         "check that the file is in the safetensors format");
  }
  if (length > bytes.size() - 8) {
    fail(file, "the file ends inside its header", fmt::format("{} bytes of header", length),
         fmt::format("{} bytes", bytes.size() - 8));
  }
  const auto header = bytes.subspan(8, static_cast<size_t>(length));
  if (header.empty() || header[0] != '{') {
    fail(file, "the header does not start with '{'", "a JSON object",
         header.empty() ? "an empty header" : fmt::format("byte 0x{:02x}", header[0]),
         "check that the file is in the safetensors format");
  }
  // The JSON parser takes a NUL for the end of the text and would not look behind it.
  if (std::memchr(header.data(), 0, header.size()) != nullptr) {
    fail(file, "the header holds a NUL byte", "JSON text", "a NUL byte");
  }
  return header;
}

/// The bytes a tensor must have by its shape and type.
uint64_t expected_bytes(const SafetensorsEntry& entry, const std::string& file) {
  const std::optional<uint64_t> bits = dtype_bits(entry.dtype);
  if (!bits) {
    fail(file, fmt::format("unknown element type of tensor {}", quoted(entry.name)),
         "a type of the safetensors format", quoted(entry.dtype),
         "the file is damaged or newer than this program");
  }
  const std::string shape = fmt::format("[{}]", fmt::join(entry.shape, ", "));
  const bool empty = std::find(entry.shape.begin(), entry.shape.end(), 0) != entry.shape.end();
  uint64_t total = *bits;
  for (const int64_t extent : entry.shape) {
    if (!empty && __builtin_mul_overflow(total, static_cast<uint64_t>(extent), &total)) {
      fail(file, fmt::format("the shape of tensor {} is too large", quoted(entry.name)),
           "a size below 2^64 bits", shape);
    }
  }
  if (empty) return 0;
  if (total % 8 != 0) {
    fail(file, fmt::format("tensor {} does not fill whole bytes", quoted(entry.name)), "a multiple of 8 bits",
         fmt::format("{} bits", total));
  }
  return total / 8;
}

/// Checks that the entries cover the data section once, without holes, and sorts them by place.
void check_coverage(std::vector<SafetensorsEntry>* entries, uint64_t data_size, const std::string& file) {
  std::sort(entries->begin(), entries->end(), [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  uint64_t reached = 0;
  for (const SafetensorsEntry& entry : *entries) {
    const std::string tensor = fmt::format("tensor {}", quoted(entry.name));
    const std::string got = fmt::format("bytes {} to {}", entry.begin, entry.end);
    if (entry.begin > entry.end) fail(file, tensor + " ends before it begins", "begin <= end", got);
    if (entry.end > data_size) {
      fail(file, tensor + " lies behind the end of the file", fmt::format("{} bytes of data", data_size),
           got);
    }
    const uint64_t size = expected_bytes(entry, file);
    if (size != entry.end - entry.begin) {
      fail(file, tensor + " has another size than its shape says",
           fmt::format("{} bytes for {} [{}]", size, entry.dtype, fmt::join(entry.shape, ", ")), got);
    }
    if (entry.begin != reached) {
      fail(file, tensor + (entry.begin < reached ? " overlaps another" : " leaves a hole before it"),
           fmt::format("a begin at byte {}", reached), got);
    }
    reached = entry.end;
  }
  if (reached != data_size) {
    fail(file, "the data does not end where the last tensor ends", fmt::format("{} bytes of data", reached),
         fmt::format("{} bytes", data_size));
  }
}

std::string hex(uint32_t value) {
  return fmt::format("{:08x}", value);
}

std::span<const uint8_t> as_bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

/// The header's text for tensors in this order.
std::string header_text(const std::vector<TensorToStore>& tensors, const std::vector<uint64_t>& sizes,
                        const std::map<std::string, std::string>& metadata) {
  std::string text = "{";
  if (!metadata.empty()) {
    text += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata) {
      if (text.back() != '{') text += ',';
      text += json_string(key) + ':' + json_string(value);
    }
    text += '}';
  }
  uint64_t begin = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (text.size() > 1) text += ',';
    text += fmt::format("{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
                        json_string(tensors[i].name), kernels::dtype_name(tensors[i].dtype),
                        fmt::join(tensors[i].shape, ","), begin, begin + sizes[i]);
    begin += sizes[i];
  }
  text += '}';
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

/// Where the digits of crc32.header start, or npos unless there is one such place. A JSON string cannot hold
/// the text that is looked for, since its quotes would be escaped.
size_t find_header_digits(std::string_view header) {
  const size_t place = header.find(kHeaderDigits);
  if (place == std::string_view::npos || header.find(kHeaderDigits, place + 1) != std::string_view::npos ||
      place + kHeaderDigits.size() + kZeroDigits.size() > header.size()) {
    return std::string_view::npos;
  }
  return place + kHeaderDigits.size();
}

void check_checksum(const SafetensorsFile& file, const std::string& part, uint32_t computed) {
  const auto stored = file.metadata().find("crc32." + part);
  if (stored == file.metadata().end()) {
    fail(file.name(), fmt::format("the checksum of {} is missing", quoted(part)), "metadata crc32." + part,
         "none");
  }
  // Compared as text: another spelling of the same number is a changed file, too.
  if (stored->second != hex(computed)) {
    fail(file.name(), fmt::format("the checksum of {} is wrong", quoted(part)),
         kernels::printable(stored->second, 20), hex(computed));
  }
}

}  // namespace

int64_t StoredTensor::count() const {
  int64_t product = 1;
  for (const int64_t extent : shape) {
    if (extent == 0) return 0;
  }
  for (const int64_t extent : shape) product *= extent;
  return product;
}

SafetensorsFile SafetensorsFile::read(const std::filesystem::path& path) {
  return parse(read_file(path, kMaxFileBytes), path.string());
}

SafetensorsFile SafetensorsFile::parse(std::vector<uint8_t> bytes, const std::string& name) {
  SafetensorsFile file;
  file.name_ = name;
  file.buffer_ = std::move(bytes);
  file.header_ = find_header(file.buffer_, name);
  SafetensorsHeader header = parse_safetensors_header(
      {reinterpret_cast<const char*>(file.header_.data()), file.header_.size()}, name);
  const std::span<const uint8_t> data =
      std::span<const uint8_t>(file.buffer_).subspan(8 + file.header_.size());
  check_coverage(&header.entries, data.size(), name);
  file.metadata_ = std::move(header.metadata);
  for (SafetensorsEntry& entry : header.entries) {
    const auto begin = static_cast<size_t>(entry.begin), end = static_cast<size_t>(entry.end);
    file.tensors_[entry.name] = {std::move(entry.dtype), std::move(entry.shape),
                                 data.subspan(begin, end - begin)};
  }
  return file;
}

const StoredTensor& SafetensorsFile::at(const std::string& tensor) const {
  const auto found = tensors_.find(tensor);
  if (found != tensors_.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [name, unused] : tensors_) names.push_back(name);
  const std::string nearest = kernels::nearest_name(tensor, names);
  fail(name_, "a tensor is missing", quoted(tensor),
       fmt::format("{} tensors, none of that name", names.size()),
       nearest.empty() ? "check that this is the right file"
                       : fmt::format("the nearest name is {}", quoted(nearest)));
}

template <class T>
std::vector<T> SafetensorsFile::values(const std::string& tensor) const {
  const StoredTensor& stored = at(tensor);
  std::vector<T> out(static_cast<size_t>(stored.count()));
  const auto convert = [&](auto element) {
    for (size_t i = 0; i < out.size(); ++i) {
      std::memcpy(&element, stored.bytes.data() + i * sizeof(element), sizeof(element));
      out[i] = static_cast<T>(element);
    }
  };
  if (stored.dtype == "F32") {
    convert(float{});
  } else if (stored.dtype == "F64") {
    convert(double{});
  } else {
    fail(name_, fmt::format("tensor {} has a type that is not read here", quoted(tensor)), "F32 or F64",
         stored.dtype, "store it as float32");
  }
  return out;
}

template std::vector<float> SafetensorsFile::values<float>(const std::string&) const;
template std::vector<double> SafetensorsFile::values<double>(const std::string&) const;

void write_safetensors(const std::filesystem::path& path, std::vector<TensorToStore> tensors,
                       std::map<std::string, std::string> metadata, bool checksums) {
  std::sort(tensors.begin(), tensors.end(), [](const TensorToStore& a, const TensorToStore& b) {
    const size_t a_size = kernels::dtype_size(a.dtype), b_size = kernels::dtype_size(b.dtype);
    return a_size != b_size ? a_size > b_size : a.name < b.name;
  });
  std::vector<uint64_t> sizes;
  std::vector<std::span<const uint8_t>> pieces(2);  // length and header come first
  std::map<std::string, int> names;
  for (const TensorToStore& tensor : tensors) {
    CPM_CHECK(++names[tensor.name] == 1 && tensor.name != "__metadata__",
              "tensor name '{}' twice or reserved", tensor.name);
    uint64_t size = kernels::dtype_size(tensor.dtype);
    for (const int64_t extent : tensor.shape) {
      CPM_CHECK(extent >= 0 && !__builtin_mul_overflow(size, static_cast<uint64_t>(extent), &size),
                "tensor '{}': bad shape [{}]", tensor.name, fmt::join(tensor.shape, ", "));
    }
    CPM_CHECK(tensor.data != nullptr || size == 0, "tensor '{}' without data", tensor.name);
    sizes.push_back(size);
    pieces.emplace_back(static_cast<const uint8_t*>(tensor.data), static_cast<size_t>(size));
    if (checksums) {
      CPM_CHECK(tensor.name != "header", "a tensor named 'header' cannot have a checksum");
      metadata["crc32." + tensor.name] = hex(crc32(pieces.back()));
    }
  }
  if (checksums) metadata["crc32.header"] = kZeroDigits;
  std::string header = header_text(tensors, sizes, metadata);
  if (checksums) {
    const size_t digits = find_header_digits(header);
    CPM_CHECK(digits != std::string::npos, "the header's checksum has no place");
    header.replace(digits, kZeroDigits.size(), hex(crc32(as_bytes(header))));
  }
  CPM_CHECK(header.size() <= kMaxHeaderBytes, "a header of {} bytes", header.size());
  std::array<uint8_t, 8> length{};
  for (size_t i = 0; i < 8; ++i) length[i] = static_cast<uint8_t>(header.size() >> (8 * i));
  pieces[0] = length;
  pieces[1] = as_bytes(header);
  write_file(path, pieces);
}

void verify_checksums(const SafetensorsFile& file) {
  std::string header(reinterpret_cast<const char*>(file.header().data()), file.header().size());
  const size_t digits = find_header_digits(header);
  if (digits == std::string::npos) {
    fail(file.name(), "the file has no checksum of its header", "metadata crc32.header", "none");
  }
  header.replace(digits, kZeroDigits.size(), kZeroDigits);
  check_checksum(file, "header", crc32(as_bytes(header)));
  for (const auto& [name, tensor] : file.tensors()) check_checksum(file, name, crc32(tensor.bytes));
}

}  // namespace engine
