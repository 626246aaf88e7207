#include "engine/io/npz.h"

#include <cstring>
#include <string_view>
#include <type_traits>

#include "engine/io/file.h"
#include "kernels/base/error.h"
#include "kernels/base/nearest.h"

namespace engine {
namespace {

constexpr uint64_t kMaxFileBytes = 0xffffffff, kMaxArrayBytes = uint64_t{1} << 30;
constexpr std::string_view kMagic{"\x93NUMPY\x01\x00", 8};
constexpr std::string_view kSuffix = ".npy";
constexpr size_t kMostDimensions = 32;  // numpy's limit before version 2
constexpr size_t kAlignment = 64;

struct TypeRow {
  NpyType type;
  std::string_view text;
  size_t size;
};
constexpr TypeRow kTypes[] = {{NpyType::F32, "<f4", 4},
                              {NpyType::F64, "<f8", 8},
                              {NpyType::I64, "<i8", 8},
                              {NpyType::U32, "<u4", 4},
                              {NpyType::U64, "<u8", 8}};

const TypeRow& row_of(NpyType type) {
  return kTypes[static_cast<size_t>(type)];
}

[[noreturn]] void fail(const std::string& where, const std::string& what, const std::string& expected,
                       const std::string& got, const std::string& hint) {
  throw kernels::Error(kernels::ExitCode::BadData,
                       {.where = where, .what = what, .expected = expected, .got = got, .hint = hint});
}

std::string in_quotes(const std::string& name) {
  return fmt::format("'{}'", kernels::printable(name, 80));
}

/// Bytes of an array; none where they do not fit 64 bits.
bool array_bytes(const std::vector<int64_t>& shape, NpyType type, uint64_t* bytes) {
  *bytes = row_of(type).size;
  for (const int64_t extent : shape) {
    if (__builtin_mul_overflow(*bytes, static_cast<uint64_t>(extent), bytes)) return false;
  }
  return true;
}

/// Reads the dictionary of an .npy header, which is a literal of Python: {'descr': '<f4', 'fortran_order':
/// False, 'shape': (2, 3), }.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  NpyArray parse() {
    bool type = false, order = false, shape = false;
    need("{");
    while (!take("}")) {
      if (!type && take("'descr'")) {
        type = true;
        need(":");
        read_type();
      } else if (!order && take("'fortran_order'")) {
        order = true;
        need(":");
        if (!take("False")) refuse("elements in C order");
      } else if (!shape && take("'shape'")) {
        shape = true;
        need(":");
        read_shape();
      } else {
        refuse("the keys descr, fortran_order and shape, each once");
      }
      if (!take(",")) {
        need("}");
        break;
      }
    }
    if (!type || !order || !shape) refuse("the keys descr, fortran_order and shape");
    skip_blanks();
    if (at_ != text_.size()) refuse("nothing behind the dictionary");
    return std::move(array_);
  }

 private:
  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }

  bool take(std::string_view token) {
    skip_blanks();
    if (text_.substr(at_, token.size()) != token) return false;
    at_ += token.size();
    return true;
  }

  void need(std::string_view token) {
    if (!take(token)) refuse(fmt::format("{}", token));
  }

  void read_type() {
    for (const TypeRow& row : kTypes) {
      if (take(fmt::format("'{}'", row.text))) {
        array_.type = row.type;
        return;
      }
    }
    refuse("an element type of <f4, <f8, <i8, <u4 and <u8");
  }

  void read_shape() {
    need("(");
    while (!take(")")) {
      skip_blanks();
      int64_t extent = 0;
      const size_t first = at_;
      for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
        if (__builtin_mul_overflow(extent, 10, &extent) ||
            __builtin_add_overflow(extent, text_[at_] - '0', &extent)) {
          refuse("extents below 2^63");
        }
      }
      if (at_ == first || array_.shape.size() == kMostDimensions) refuse("a tuple of at most 32 extents");
      array_.shape.push_back(extent);
      if (!take(",")) {
        need(")");
        break;
      }
    }
  }

  [[noreturn]] void refuse(const std::string& expected) const {
    fail(where_, fmt::format("byte {} of the npy header is not understood", at_), expected,
         in_quotes(std::string(text_.substr(at_, 40))),
         "save it with numpy.savez, little endian and in C order");
  }

  std::string_view text_;
  const std::string& where_;
  size_t at_ = 0;
  NpyArray array_;
};

/// Magic, version, length and dictionary, padded so that the data start at a multiple of 64 bytes.
std::string header_of(const ArrayToStore& array) {
  const std::string extents = array.shape.size() == 1 ? fmt::format("{},", array.shape[0])
                                                      : fmt::format("{}", fmt::join(array.shape, ", "));
  std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}",
                                 row_of(array.type).text, extents);
  const size_t before = kMagic.size() + 2;
  text.resize((before + text.size() + 1 + kAlignment - 1) / kAlignment * kAlignment - before - 1, ' ');
  text += '\n';
  CPM_CHECK(text.size() <= 0xffff, "an npy header of {} bytes", text.size());
  std::string header(kMagic);
  header += static_cast<char>(text.size() & 0xff);
  header += static_cast<char>(text.size() >> 8);
  return header + text;
}

template <class From, class To>
std::vector<To> converted(const std::vector<uint8_t>& bytes) {
  std::vector<To> out(bytes.size() / sizeof(From));
  for (size_t i = 0; i < out.size(); ++i) {
    From value;
    std::memcpy(&value, bytes.data() + i * sizeof(From), sizeof(From));
    out[i] = static_cast<To>(value);
  }
  return out;
}

}  // namespace

size_t npy_size(NpyType type) {
  return row_of(type).size;
}

NpyArray parse_npy(std::span<const uint8_t> bytes, const std::string& name) {
  const char* kHint = "the file is damaged, or of a newer format; save it with numpy.savez";
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const size_t before = kMagic.size() + 2;
  if (text.substr(0, kMagic.size()) != kMagic || text.size() < before) {
    fail(name, "this is not an npy array of version 1.0", "\\x93NUMPY and the version",
         in_quotes(std::string(text.substr(0, kMagic.size()))), kHint);
  }
  const size_t length = static_cast<size_t>(bytes[8] | bytes[9] << 8);
  if (length > text.size() - before) {
    fail(name, "the array ends inside its header", fmt::format("{} bytes of header", length),
         fmt::format("{} bytes", text.size() - before), kHint);
  }
  NpyArray array = HeaderParser(text.substr(before, length), name).parse();
  const std::span<const uint8_t> data = bytes.subspan(before + length);
  uint64_t expected = 0;
  if (!array_bytes(array.shape, array.type, &expected) || expected != data.size()) {
    fail(name, "the array has another size than its shape says",
         fmt::format("{} [{}]", row_of(array.type).text, fmt::join(array.shape, ", ")),
         fmt::format("{} bytes", data.size()), kHint);
  }
  array.bytes.assign(data.begin(), data.end());
  return array;
}

NpzFile NpzFile::read(const std::filesystem::path& path) {
  return parse(read_file(path, kMaxFileBytes), path.string());
}

NpzFile NpzFile::parse(std::vector<uint8_t> bytes, const std::string& name) {
  NpzFile file;
  file.name_ = name;
  file.bytes_ = std::move(bytes);
  for (ZipEntry& entry : zip_entries(file.bytes_, name)) {
    const std::string entry_name = entry.name;
    const bool npy = entry_name.size() > kSuffix.size() && entry_name.ends_with(kSuffix);
    const std::string array = npy ? entry_name.substr(0, entry_name.size() - kSuffix.size()) : "";
    if (!npy || !file.entries_.emplace(array, std::move(entry)).second) {
      fail(name, npy ? "two arrays have one name" : "an entry is no array",
           "names that end in .npy, each once", in_quotes(entry_name), "check that this is an npz file");
    }
  }
  return file;
}

std::vector<std::string> NpzFile::names() const {
  std::vector<std::string> names;
  for (const auto& [name, unused] : entries_) names.push_back(name);
  return names;
}

NpyArray NpzFile::array(const std::string& array) const {
  const auto found = entries_.find(array);
  if (found == entries_.end()) {
    const std::string nearest = kernels::nearest_name(array, names());
    fail(name_, "an array is missing", in_quotes(array),
         fmt::format("{} arrays, none of that name", entries_.size()),
         nearest.empty() ? "check that this is the right file"
                         : fmt::format("the nearest name is {}", in_quotes(nearest)));
  }
  return parse_npy(unzip(found->second, kMaxArrayBytes, name_),
                   fmt::format("{}: {}", name_, kernels::printable(array, 80)));
}

template <class T>
std::vector<T> NpzFile::values(const std::string& array, std::vector<int64_t>* shape) const {
  const NpyArray stored = this->array(array);
  if (shape != nullptr) *shape = stored.shape;
  if constexpr (std::is_same_v<T, int64_t>) {
    if (stored.type == NpyType::I64) return converted<int64_t, T>(stored.bytes);
  } else if constexpr (std::is_same_v<T, uint64_t>) {
    if (stored.type == NpyType::U32) return converted<uint32_t, T>(stored.bytes);
    if (stored.type == NpyType::U64) return converted<uint64_t, T>(stored.bytes);
  } else {
    if (stored.type == NpyType::F32) return converted<float, T>(stored.bytes);
    if (stored.type == NpyType::F64) return converted<double, T>(stored.bytes);
  }
  const char* wanted = std::is_same_v<T, int64_t>    ? "<i8"
                       : std::is_same_v<T, uint64_t> ? "<u4 or <u8"
                                                     : "<f4 or <f8";
  fail(name_, fmt::format("array {} has a type that does not fit", in_quotes(array)), wanted,
       std::string(row_of(stored.type).text), "check that this is the right file");
}

template std::vector<int64_t> NpzFile::values<int64_t>(const std::string&, std::vector<int64_t>*) const;
template std::vector<uint64_t> NpzFile::values<uint64_t>(const std::string&, std::vector<int64_t>*) const;
template std::vector<double> NpzFile::values<double>(const std::string&, std::vector<int64_t>*) const;

void write_npz(const std::filesystem::path& path, std::span<const ArrayToStore> arrays) {
  ZipWriter zip;
  std::map<std::string, int> names;
  for (const ArrayToStore& array : arrays) {
    uint64_t size = 0;
    CPM_CHECK(++names[array.name] == 1 && !array.name.empty(), "array name '{}' empty or twice", array.name);
    CPM_CHECK(array_bytes(array.shape, array.type, &size), "array '{}': bad shape", array.name);
    CPM_CHECK(array.data != nullptr || size == 0, "array '{}' without data", array.name);
    const std::string header = header_of(array);
    const std::span<const uint8_t> pieces[] = {
        {reinterpret_cast<const uint8_t*>(header.data()), header.size()},
        {static_cast<const uint8_t*>(array.data), static_cast<size_t>(size)}};
    zip.add(array.name + std::string(kSuffix), pieces);
  }
  const std::vector<uint8_t> bytes = zip.finish();
  const std::span<const uint8_t> whole = bytes;
  write_file(path, {&whole, 1});
}

}  // namespace engine
