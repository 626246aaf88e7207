#include "cpm/dataset/mat_file.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <type_traits>

#include "engine/io/file.h"
#include "kernels/base/error.h"

// A file is a 128-byte header and elements: a tag (type, bytes), content, padding to 8 bytes. An array is an
// element of type miMATRIX made of elements: flags, dimensions, name, numbers. Up to 4 bytes of content may
// share the tag's 8 bytes ("small" format). miCOMPRESSED wraps one element in a zlib stream. Numbers may be
// stored in a smaller type than the array's class: they are converted from the type they are stored in.

namespace cpm {
namespace {

using Bytes = std::span<const uint8_t>;

constexpr uint64_t kMaxFileBytes = uint64_t{1} << 30;
constexpr uint64_t kMaxInflatedBytes = uint64_t{1} << 30;  // over all elements of a file
constexpr uint64_t kMaxValues = uint64_t{1} << 27;         // likewise: 1 GiB of double
// A stream that grows more than this, beyond what any table of coordinates needs, is made to eat memory.
constexpr uint64_t kMaxRatio = 250, kRatioFreeBytes = uint64_t{64} << 20;
constexpr size_t kHeaderBytes = 128;

// Storage types.
constexpr uint32_t kInt8 = 1, kInt32 = 5, kUint32 = 6, kMatrix = 14, kCompressed = 15;
// Classes from double to uint64 are numbers; those below are cell, struct, object, char and sparse.
constexpr uint32_t kFirstNumericClass = 6, kLastNumericClass = 15, kComplexFlag = 0x0800;

/// Where the reading stands: the file, its byte order, and what is left of the allowances.
struct Source {
  std::string file;
  bool swapped = false;
  uint64_t inflated_left = kMaxInflatedBytes, values_left = kMaxValues;

  template <class T>
  T load(const uint8_t* from) const {
    uint8_t raw[sizeof(T)];
    std::memcpy(raw, from, sizeof(T));
    if (swapped) std::reverse(raw, raw + sizeof(T));
    T value;
    std::memcpy(&value, raw, sizeof(T));
    return value;
  }
};

/// A stretch of the file, or of what an element of it was inflated to.
struct Stretch {
  Bytes bytes;
  uint64_t offset = 0;         // of bytes[0] in the file or the inflated element
  int64_t inflated_from = -1;  // the compressed element's offset, or -1 for the file itself

  Stretch part(size_t begin, size_t count) const {
    return {bytes.subspan(begin, count), offset + begin, inflated_from};
  }
};

[[noreturn]] void fail(const Source& source, const Stretch& at, const std::string& what,
                       const std::string& expected, const std::string& got) {
  const std::string place = at.inflated_from < 0 ? fmt::format("byte {}", at.offset)
                                                 : fmt::format("byte {} of the element inflated from byte {}",
                                                               at.offset, at.inflated_from);
  throw kernels::Error(
      kernels::ExitCode::BadData,
      {.where = source.file,
       .what = "at " + place + ": " + what,
       .expected = expected,
       .got = got,
       .hint = "the file is damaged or of another kind; copy it again, or save it with -v7"});
}

struct Element {
  uint32_t type = 0;
  Stretch content;
};

/// Takes the next element off `rest`.
Element take_element(const Source& source, Stretch* rest) {
  if (rest->bytes.size() < 8) {
    fail(source, *rest, "the file ends inside a tag", "8 bytes", fmt::format("{} bytes", rest->bytes.size()));
  }
  const auto first = source.load<uint32_t>(rest->bytes.data());
  const uint32_t small_size = first >> 16;
  if (small_size != 0) {
    if (small_size > 4) {
      fail(source, *rest, "bad size of a small element", "at most 4 bytes",
           fmt::format("{} bytes", small_size));
    }
    const Element element{first & 0xffff, rest->part(4, small_size)};
    *rest = rest->part(8, rest->bytes.size() - 8);
    return element;
  }
  const auto size = source.load<uint32_t>(rest->bytes.data() + 4);
  const size_t left = rest->bytes.size() - 8;
  if (size > left) {
    fail(source, *rest, "an element is longer than what holds it", fmt::format("at most {} bytes", left),
         fmt::format("{} bytes", size));
  }
  const Element element{first, rest->part(8, size)};
  // Compressed elements are not padded, and some writers leave out the padding behind the last element.
  const size_t padded = first == kCompressed ? size : std::min((size_t{size} + 7) / 8 * 8, left);
  *rest = rest->part(8 + padded, left - padded);
  return element;
}

/// Inflates a zlib stream that must end with its element.
std::vector<uint8_t> inflate_all(Source* source, const Stretch& at) {
  const uint64_t by_ratio = std::max(kRatioFreeBytes, kMaxRatio * at.bytes.size());
  const uint64_t limit = std::min(source->inflated_left, by_ratio);
  z_stream stream{};
  if (inflateInit(&stream) != Z_OK)
    fail(*source, at, "decompression cannot start", "memory", "an error of zlib");
  struct End {
    z_stream* stream;
    ~End() { inflateEnd(stream); }
  } const end{&stream};
  stream.next_in = const_cast<Bytef*>(at.bytes.data());  // zlib does not write to its input
  stream.avail_in = static_cast<uInt>(at.bytes.size());

  std::vector<uint8_t> out;
  int status = Z_OK;
  while (status != Z_STREAM_END) {
    const size_t filled = out.size();
    // Growing by what arrives: the size that the data announce is not believed.
    out.resize(static_cast<size_t>(std::min<uint64_t>(limit + 1, std::max<size_t>(2 * filled, 65536))));
    if (out.size() == filled) {
      fail(*source, at, "the element inflates to too much", fmt::format("at most {} bytes", limit), "more");
    }
    stream.next_out = out.data() + filled;
    stream.avail_out = static_cast<uInt>(out.size() - filled);
    status = inflate(&stream, Z_NO_FLUSH);
    out.resize(out.size() - stream.avail_out);
    if (status != Z_OK && status != Z_STREAM_END) {
      fail(*source, at, "the compressed data are damaged or cut short", "a zlib stream",
           stream.msg != nullptr ? stream.msg : fmt::format("zlib error {}", status));
    }
  }
  if (out.size() > limit) {
    fail(*source, at, "the element inflates to too much", fmt::format("at most {} bytes", limit), "more");
  }
  if (stream.avail_in != 0) {
    fail(*source, at, "bytes behind the compressed data", "none", fmt::format("{}", stream.avail_in));
  }
  source->inflated_left -= out.size();
  return out;
}

template <class T>
void convert(const Source& source, Bytes from, std::vector<double>* out) {
  for (size_t i = 0; i < out->size(); ++i) {
    (*out)[i] = static_cast<double>(source.load<T>(from.data() + i * sizeof(T)));
  }
}

/// Calls body(T{}) with the C++ type of a storage type; false for one that holds no numbers.
template <class Body>
bool visit_storage(uint32_t type, const Body& body) {
  switch (type) {
    case 1:
      return body(int8_t{}), true;
    case 2:
      return body(uint8_t{}), true;
    case 3:
      return body(int16_t{}), true;
    case 4:
      return body(uint16_t{}), true;
    case 5:
      return body(int32_t{}), true;
    case 6:
      return body(uint32_t{}), true;
    case 7:
      return body(float{}), true;
    case 9:
      return body(double{}), true;
    case 12:
      return body(int64_t{}), true;
    case 13:
      return body(uint64_t{}), true;
    default:
      return false;
  }
}

/// The numbers of an array of `count` elements.
std::vector<double> read_values(Source* source, const Element& element, uint64_t count) {
  std::vector<double> values;
  const bool numeric = visit_storage(element.type, [&](auto zero) {
    using T = decltype(zero);
    if (element.content.bytes.size() % sizeof(T) != 0 || element.content.bytes.size() / sizeof(T) != count) {
      fail(*source, element.content, "the numbers do not fill the array's dimensions",
           fmt::format("{} numbers of {} bytes", count, sizeof(T)),
           fmt::format("{} bytes", element.content.bytes.size()));
    }
    if (count > source->values_left) {
      fail(*source, element.content, "the file holds too many numbers", fmt::format("at most {}", kMaxValues),
           "more");
    }
    source->values_left -= count;
    values.resize(static_cast<size_t>(count));
    convert<T>(*source, element.content.bytes, &values);
  });
  if (!numeric) {
    fail(*source, element.content, "the array's numbers are stored in an unknown type",
         "types 1-7, 9, 12, 13", fmt::format("type {}", element.type));
  }
  return values;
}

/// The dimensions; `*count` is their product.
std::vector<int64_t> read_dims(const Source& source, const Element& element, uint64_t* count) {
  const Bytes bytes = element.content.bytes;
  if (element.type != kInt32 || bytes.size() % 4 != 0 || bytes.size() < 8 || bytes.size() > 4 * 64) {
    fail(source, element.content, "bad dimensions", "2 to 64 numbers of type 5",
         fmt::format("{} bytes of type {}", bytes.size(), element.type));
  }
  std::vector<int64_t> dims;
  for (size_t i = 0; i < bytes.size(); i += 4) dims.push_back(source.load<int32_t>(&bytes[i]));
  const bool empty = std::find(dims.begin(), dims.end(), 0) != dims.end();
  *count = empty ? 0 : 1;
  for (const int64_t dim : dims) {
    if (dim < 0 || __builtin_mul_overflow(*count, static_cast<uint64_t>(dim), count)) {
      fail(source, element.content, "bad dimensions", "numbers from 0 whose product fits 64 bits",
           fmt::format("[{}]", fmt::join(dims, ", ")));
    }
  }
  return dims;
}

/// Appends the array in a miMATRIX element, unless it is of a class that is skipped.
void read_array(Source* source, const Element& matrix, std::vector<MatArray>* arrays) {
  Stretch rest = matrix.content;
  if (rest.bytes.empty()) return;  // MATLAB's empty array without a name
  const Element flags = take_element(*source, &rest);
  if (flags.type != kUint32 || flags.content.bytes.size() != 8) {
    fail(*source, flags.content, "bad array flags", "8 bytes of type 6",
         fmt::format("{} bytes of type {}", flags.content.bytes.size(), flags.type));
  }
  const auto word = source->load<uint32_t>(flags.content.bytes.data());
  const uint32_t array_class = word & 0xff;
  if (array_class == 0 || array_class > 18) {
    fail(*source, flags.content, "unknown array class", "1 to 18", fmt::format("{}", array_class));
  }
  if (array_class < kFirstNumericClass || array_class > kLastNumericClass) return;

  MatArray array;
  uint64_t count = 0;
  array.dims = read_dims(*source, take_element(*source, &rest), &count);
  const Element name = take_element(*source, &rest);
  if (name.type != kInt8) {
    fail(*source, name.content, "bad array name", "text of type 1", fmt::format("type {}", name.type));
  }
  array.name.assign(name.content.bytes.begin(), name.content.bytes.end());
  if ((word & kComplexFlag) != 0) {
    fail(*source, flags.content, fmt::format("array '{}' is complex", kernels::printable(array.name, 80)),
         "a real array", "a complex one");
  }
  array.values = read_values(source, take_element(*source, &rest), count);
  arrays->push_back(std::move(array));
}

/// Refuses what is no version 5 file, by what it is; sets the byte order.
void check_file_header(Source* source, Bytes bytes) {
  constexpr std::string_view kHdf5 = "\x89HDF\r\n\x1a\n";
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const Stretch start{bytes};
  // An HDF5 file starts at byte 0 or, behind MATLAB's own header, at byte 512.
  const std::string_view behind = text.substr(std::min<size_t>(text.size(), 512));
  if (text.starts_with(kHdf5) || behind.starts_with(kHdf5) || text.starts_with("MATLAB 7.3")) {
    throw kernels::Error(kernels::ExitCode::BadData, {.where = source->file,
                                                      .what = "this is a MAT-file of version 7.3 (HDF5)",
                                                      .expected = "version 5, 6 or 7",
                                                      .got = "version 7.3",
                                                      .hint = "save it in MATLAB with save(..., '-v7')"});
  }
  if (bytes.size() < kHeaderBytes) {
    fail(*source, start, "the file ends inside its header", fmt::format("{} bytes", kHeaderBytes),
         fmt::format("{} bytes", bytes.size()));
  }
  const std::string_view order = text.substr(126, 2);
  if (order != "IM" && order != "MI") {
    fail(*source, start, "this is not a MAT-file of version 5", "a byte order mark at byte 126",
         fmt::format("'{}'", kernels::printable(std::string(order))));
  }
  const uint16_t probe = 1;
  uint8_t low_byte = 0;
  std::memcpy(&low_byte, &probe, 1);
  source->swapped = (order == "IM") != (low_byte == 1);
  const auto version = source->load<uint16_t>(&bytes[124]);
  if (version != 0x0100) fail(*source, start, "unknown version", "0x0100", fmt::format("{:#06x}", version));
}

}  // namespace

std::vector<MatArray> parse_mat(std::span<const uint8_t> bytes, const std::string& name) {
  Source source{name};
  check_file_header(&source, bytes);
  std::vector<MatArray> arrays;
  Stretch rest = Stretch{bytes}.part(kHeaderBytes, bytes.size() - kHeaderBytes);
  while (!rest.bytes.empty()) {
    const Stretch start = rest;
    Element element = take_element(source, &rest);
    std::vector<uint8_t> inflated;
    if (element.type == kCompressed) {
      inflated = inflate_all(&source, element.content);
      Stretch inside{inflated, 0, static_cast<int64_t>(start.offset)};
      element = take_element(source, &inside);
      if (!inside.bytes.empty()) {
        fail(source, inside, "bytes behind the element", "none", fmt::format("{}", inside.bytes.size()));
      }
    }
    if (element.type != kMatrix) {
      fail(source, start, "unexpected element", "an array (type 14)", fmt::format("type {}", element.type));
    }
    read_array(&source, element, &arrays);
  }
  return arrays;
}

std::vector<MatArray> read_mat(const std::filesystem::path& path) {
  return parse_mat(engine::read_file(path, kMaxFileBytes), path.string());
}

}  // namespace cpm
