// Reading and writing npz: a file by numpy, files that break each rule of zip and npy, cuts at every byte and
// flips of single bits.
#include "engine/io/npz.h"

#include <cstring>
#include <limits>

#include "engine/io/file.h"
#include "engine/runtime/random.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

namespace {

using engine::ArrayToStore;
using engine::NpyType;
using engine::NpzFile;
using kernels::ExitCode;
using tests::TempFolder;
using tests::Thrown;
using tests::thrown_by;

// numpy.savez_compressed (numpy 1.24.2) of a/b: float64 [[0.5, -1, 2], [3, 4, 1e30]], counts: uint32 [7, 2^32
// - 1], none: float32 [0, 4], scalar: uint64 2^64 - 1, step: int64 [1, -2].
constexpr unsigned char kByNumpy[] = {
    0x50, 0x4b, 0x03, 0x04, 0x14, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00, 0x21, 0x00, 0xbe, 0xc9, 0xbe,
    0x09, 0x61, 0x00, 0x00, 0x00, 0xb0, 0x00, 0x00, 0x00, 0x07, 0x00, 0x14, 0x00, 0x61, 0x2f, 0x62, 0x2e,
    0x6e, 0x70, 0x79, 0x01, 0x00, 0x10, 0x00, 0xb0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x61, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x9b, 0xec, 0x17, 0xea, 0x1b, 0x10, 0xc9, 0xc8, 0x50, 0xc6, 0x50,
    0xad, 0x9e, 0x92, 0x5a, 0x9c, 0x5c, 0xa4, 0x6e, 0xa5, 0xa0, 0x6e, 0x93, 0x66, 0xa1, 0xae, 0xa3, 0xa0,
    0x9e, 0x96, 0x5f, 0x54, 0x52, 0x94, 0x98, 0x17, 0x9f, 0x5f, 0x94, 0x92, 0x0a, 0x12, 0x77, 0x4b, 0xcc,
    0x29, 0x4e, 0x05, 0x8a, 0x17, 0x67, 0x24, 0x16, 0xa4, 0x02, 0xf9, 0x1a, 0x46, 0x3a, 0x0a, 0xc6, 0x9a,
    0x3a, 0x0a, 0xb5, 0x0a, 0x64, 0x03, 0x2e, 0x06, 0x30, 0x78, 0x60, 0x0f, 0xa1, 0x3f, 0xec, 0x87, 0xd0,
    0x0c, 0x0e, 0x10, 0x8a, 0x03, 0x4a, 0x0b, 0x38, 0xbc, 0xea, 0x59, 0x60, 0x19, 0x69, 0xa7, 0xe9, 0x06,
    0x00, 0x50, 0x4b, 0x03, 0x04, 0x14, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00, 0x21, 0x00, 0x43, 0x4b,
    0x77, 0x77, 0x4b, 0x00, 0x00, 0x00, 0x88, 0x00, 0x00, 0x00, 0x0a, 0x00, 0x14, 0x00, 0x63, 0x6f, 0x75,
    0x6e, 0x74, 0x73, 0x2e, 0x6e, 0x70, 0x79, 0x01, 0x00, 0x10, 0x00, 0x88, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x4b, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x9b, 0xec, 0x17, 0xea, 0x1b, 0x10, 0xc9,
    0xc8, 0x50, 0xc6, 0x50, 0xad, 0x9e, 0x92, 0x5a, 0x9c, 0x5c, 0xa4, 0x6e, 0xa5, 0xa0, 0x6e, 0x53, 0x6a,
    0xa2, 0xae, 0xa3, 0xa0, 0x9e, 0x96, 0x5f, 0x54, 0x52, 0x94, 0x98, 0x17, 0x9f, 0x5f, 0x94, 0x92, 0x0a,
    0x12, 0x77, 0x4b, 0xcc, 0x29, 0x4e, 0x05, 0x8a, 0x17, 0x67, 0x24, 0x16, 0xa4, 0x02, 0xf9, 0x1a, 0x46,
    0x3a, 0x9a, 0x3a, 0x0a, 0xb5, 0x0a, 0x14, 0x00, 0x2e, 0x76, 0x06, 0x06, 0x86, 0xff, 0x40, 0x00, 0x00,
    0x50, 0x4b, 0x03, 0x04, 0x14, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00, 0x21, 0x00, 0xca, 0xa4, 0x3b,
    0x6c, 0x46, 0x00, 0x00, 0x00, 0x80, 0x00, 0x00, 0x00, 0x08, 0x00, 0x14, 0x00, 0x6e, 0x6f, 0x6e, 0x65,
    0x2e, 0x6e, 0x70, 0x79, 0x01, 0x00, 0x10, 0x00, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x46,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x9b, 0xec, 0x17, 0xea, 0x1b, 0x10, 0xc9, 0xc8, 0x50, 0xc6,
    0x50, 0xad, 0x9e, 0x92, 0x5a, 0x9c, 0x5c, 0xa4, 0x6e, 0xa5, 0xa0, 0x6e, 0x93, 0x66, 0xa2, 0xae, 0xa3,
    0xa0, 0x9e, 0x96, 0x5f, 0x54, 0x52, 0x94, 0x98, 0x17, 0x9f, 0x5f, 0x94, 0x92, 0x0a, 0x12, 0x77, 0x4b,
    0xcc, 0x29, 0x4e, 0x05, 0x8a, 0x17, 0x67, 0x24, 0x16, 0xa4, 0x02, 0xf9, 0x1a, 0x06, 0x3a, 0x0a, 0x26,
    0x9a, 0x3a, 0x0a, 0xb5, 0x0a, 0x64, 0x03, 0x2e, 0x00, 0x50, 0x4b, 0x03, 0x04, 0x14, 0x00, 0x00, 0x00,
    0x08, 0x00, 0x00, 0x00, 0x21, 0x00, 0xe8, 0xe2, 0x53, 0xca, 0x45, 0x00, 0x00, 0x00, 0x88, 0x00, 0x00,
    0x00, 0x0a, 0x00, 0x14, 0x00, 0x73, 0x63, 0x61, 0x6c, 0x61, 0x72, 0x2e, 0x6e, 0x70, 0x79, 0x01, 0x00,
    0x10, 0x00, 0x88, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x45, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x9b, 0xec, 0x17, 0xea, 0x1b, 0x10, 0xc9, 0xc8, 0x50, 0xc6, 0x50, 0xad, 0x9e, 0x92, 0x5a, 0x9c,
    0x5c, 0xa4, 0x6e, 0xa5, 0xa0, 0x6e, 0x53, 0x6a, 0xa1, 0xae, 0xa3, 0xa0, 0x9e, 0x96, 0x5f, 0x54, 0x52,
    0x94, 0x98, 0x17, 0x9f, 0x5f, 0x94, 0x92, 0x0a, 0x12, 0x77, 0x4b, 0xcc, 0x29, 0x4e, 0x05, 0x8a, 0x17,
    0x67, 0x24, 0x16, 0xa4, 0x02, 0xf9, 0x1a, 0x9a, 0x3a, 0x0a, 0xb5, 0x0a, 0x14, 0x01, 0xae, 0xff, 0x50,
    0x00, 0x00, 0x50, 0x4b, 0x03, 0x04, 0x14, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00, 0x21, 0x00, 0x9a,
    0xfb, 0xf5, 0x23, 0x4b, 0x00, 0x00, 0x00, 0x90, 0x00, 0x00, 0x00, 0x08, 0x00, 0x14, 0x00, 0x73, 0x74,
    0x65, 0x70, 0x2e, 0x6e, 0x70, 0x79, 0x01, 0x00, 0x10, 0x00, 0x90, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x4b, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x9b, 0xec, 0x17, 0xea, 0x1b, 0x10, 0xc9, 0xc8,
    0x50, 0xc6, 0x50, 0xad, 0x9e, 0x92, 0x5a, 0x9c, 0x5c, 0xa4, 0x6e, 0xa5, 0xa0, 0x6e, 0x93, 0x69, 0xa1,
    0xae, 0xa3, 0xa0, 0x9e, 0x96, 0x5f, 0x54, 0x52, 0x94, 0x98, 0x17, 0x9f, 0x5f, 0x94, 0x92, 0x0a, 0x12,
    0x77, 0x4b, 0xcc, 0x29, 0x4e, 0x05, 0x8a, 0x17, 0x67, 0x24, 0x16, 0xa4, 0x02, 0xf9, 0x1a, 0x46, 0x3a,
    0x9a, 0x3a, 0x0a, 0xb5, 0x0a, 0x14, 0x00, 0x2e, 0x46, 0x06, 0x08, 0xf8, 0xf7, 0x1f, 0x02, 0x00, 0x50,
    0x4b, 0x01, 0x02, 0x14, 0x03, 0x14, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00, 0x21, 0x00, 0xbe, 0xc9,
    0xbe, 0x09, 0x61, 0x00, 0x00, 0x00, 0xb0, 0x00, 0x00, 0x00, 0x07, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x80, 0x01, 0x00, 0x00, 0x00, 0x00, 0x61, 0x2f, 0x62, 0x2e, 0x6e, 0x70,
    0x79, 0x50, 0x4b, 0x01, 0x02, 0x14, 0x03, 0x14, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00, 0x21, 0x00,
    0x43, 0x4b, 0x77, 0x77, 0x4b, 0x00, 0x00, 0x00, 0x88, 0x00, 0x00, 0x00, 0x0a, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x80, 0x01, 0x9a, 0x00, 0x00, 0x00, 0x63, 0x6f, 0x75, 0x6e,
    0x74, 0x73, 0x2e, 0x6e, 0x70, 0x79, 0x50, 0x4b, 0x01, 0x02, 0x14, 0x03, 0x14, 0x00, 0x00, 0x00, 0x08,
    0x00, 0x00, 0x00, 0x21, 0x00, 0xca, 0xa4, 0x3b, 0x6c, 0x46, 0x00, 0x00, 0x00, 0x80, 0x00, 0x00, 0x00,
    0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x80, 0x01, 0x21, 0x01, 0x00,
    0x00, 0x6e, 0x6f, 0x6e, 0x65, 0x2e, 0x6e, 0x70, 0x79, 0x50, 0x4b, 0x01, 0x02, 0x14, 0x03, 0x14, 0x00,
    0x00, 0x00, 0x08, 0x00, 0x00, 0x00, 0x21, 0x00, 0xe8, 0xe2, 0x53, 0xca, 0x45, 0x00, 0x00, 0x00, 0x88,
    0x00, 0x00, 0x00, 0x0a, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x80, 0x01,
    0xa1, 0x01, 0x00, 0x00, 0x73, 0x63, 0x61, 0x6c, 0x61, 0x72, 0x2e, 0x6e, 0x70, 0x79, 0x50, 0x4b, 0x01,
    0x02, 0x14, 0x03, 0x14, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00, 0x21, 0x00, 0x9a, 0xfb, 0xf5, 0x23,
    0x4b, 0x00, 0x00, 0x00, 0x90, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x80, 0x01, 0x22, 0x02, 0x00, 0x00, 0x73, 0x74, 0x65, 0x70, 0x2e, 0x6e, 0x70, 0x79,
    0x50, 0x4b, 0x05, 0x06, 0x00, 0x00, 0x00, 0x00, 0x05, 0x00, 0x05, 0x00, 0x11, 0x01, 0x00, 0x00, 0xa7,
    0x02, 0x00, 0x00, 0x00, 0x00};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::vector<uint8_t> numpy_file() {
  return {std::begin(kByNumpy), std::end(kByNumpy)};
}

std::span<const uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

/// The error line of reading all of a file; empty where it is accepted.
std::string refusal(std::vector<uint8_t> bytes) {
  const Thrown thrown = thrown_by([&] {
    const NpzFile file = NpzFile::parse(std::move(bytes), "dir/some.npz");
    for (const std::string& name : file.names()) file.array(name);
  });
  if (thrown.code == ExitCode::Ok) return "";
  CHECK(thrown.code == ExitCode::BadData);
  CHECK(thrown.line.rfind("dir/some.npz: ", 0) == 0);
  CHECK(thrown.line.find('\n') == std::string::npos);
  return thrown.line;
}

/// An .npy file of this dictionary and `data` zero bytes.
std::string npy(const std::string& dictionary, size_t data, const std::string& magic = "\x93NUMPY\x01") {
  std::string bytes = magic + std::string(1, '\0');
  bytes += static_cast<char>(dictionary.size() & 0xff);
  bytes += static_cast<char>(dictionary.size() >> 8);
  return bytes + dictionary + std::string(data, '\0');
}

std::vector<uint8_t> zipped(const std::vector<std::pair<std::string, std::string>>& entries) {
  engine::ZipWriter zip;
  for (const auto& [name, content] : entries) {
    const std::span<const uint8_t> piece = bytes_of(content);
    zip.add(name, {&piece, 1});
  }
  return zip.finish();
}

std::string npy_refusal(const std::string& dictionary, size_t data) {
  return refusal(zipped({{"a.npy", npy(dictionary, data)}}));
}

/// A good file of one array, changed in the `width` bytes at `at`, counted from the end where negative.
std::string patched(int at, uint64_t value, int width) {
  std::vector<uint8_t> bytes =
      zipped({{"a.npy", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n", 8)}});
  const size_t first = at < 0 ? bytes.size() - static_cast<size_t>(-at) : static_cast<size_t>(at);
  for (int i = 0; i < width; ++i)
    bytes[first + static_cast<size_t>(i)] = static_cast<uint8_t>(value >> (8 * i));
  return refusal(std::move(bytes));
}

constexpr int kEnd = -22, kCentral = kEnd - 46 - 5;  // places of the two headers, for a name of 5 bytes

}  // namespace

TEST_CASE("a file by numpy is read", "[npz]") {
  const NpzFile file = NpzFile::parse(numpy_file(), "numpy");
  CHECK(file.name() == "numpy");
  CHECK(file.names() == std::vector<std::string>{"a/b", "counts", "none", "scalar", "step"});
  std::vector<int64_t> shape;
  CHECK(file.values<double>("a/b", &shape) == std::vector<double>{0.5, -1, 2, 3, 4, 1e30});
  CHECK(shape == std::vector<int64_t>{2, 3});
  CHECK(file.values<uint64_t>("counts", &shape) == std::vector<uint64_t>{7, 4294967295});
  CHECK(shape == std::vector<int64_t>{2});
  CHECK(file.values<double>("none", &shape).empty());
  CHECK(shape == std::vector<int64_t>{0, 4});
  CHECK(file.values<uint64_t>("scalar", &shape) == std::vector<uint64_t>{18446744073709551615u});
  CHECK(shape.empty());
  CHECK(file.values<int64_t>("step") == std::vector<int64_t>{1, -2});
  CHECK(file.contains("step"));
  CHECK(!file.contains("steps"));

  const Thrown type = thrown_by([&] { file.values<int64_t>("counts"); });
  CHECK(type.code == ExitCode::BadData);
  CHECK(contains(type.line, "<u4"));
  const Thrown missing = thrown_by([&] { file.array("count"); });
  CHECK(missing.code == ExitCode::BadData);
  CHECK(contains(missing.line, "the nearest name is 'counts'"));
}

TEST_CASE("a moved npz file keeps its arrays", "[npz]") {
  NpzFile first = NpzFile::parse(numpy_file(), "numpy");
  const NpzFile second = std::move(first);
  CHECK(second.values<int64_t>("step") == std::vector<int64_t>{1, -2});
}

TEST_CASE("arrays come back bit for bit and equal arrays give equal files", "[npz]") {
  const TempFolder folder;
  engine::Random random(1, engine::RandomStream::Test, 0);
  std::vector<uint32_t> bits(7 * 320);
  for (uint32_t& x : bits) x = random.bits();
  std::vector<double> doubles(21);
  for (double& x : doubles) x = random.normal();
  const int64_t step = std::numeric_limits<int64_t>::min();
  const uint64_t wide[3] = {0, 1, ~uint64_t{0}};
  const std::vector<ArrayToStore> arrays = {{"step", NpyType::I64, {1}, &step},
                                            {"conv.weight/counts", NpyType::U32, {7, 320}, bits.data()},
                                            {"as floats", NpyType::F32, {320, 7}, bits.data()},
                                            {"stats", NpyType::F64, {7, 1, 3}, doubles.data()},
                                            {"wide", NpyType::U64, {3}, wide},
                                            {"empty", NpyType::F64, {3, 0}, nullptr},
                                            {"scalar", NpyType::F64, {}, doubles.data()}};
  engine::write_npz(folder / "1.npz", arrays);
  engine::write_npz(folder / "2.npz", arrays);
  CHECK(engine::read_file(folder / "1.npz", 1 << 20) == engine::read_file(folder / "2.npz", 1 << 20));
  const NpzFile file = NpzFile::read(folder / "1.npz");
  CHECK(file.names().size() == arrays.size());
  for (const ArrayToStore& array : arrays) {
    const engine::NpyArray stored = file.array(array.name);
    CHECK(stored.type == array.type);
    CHECK(stored.shape == array.shape);
    REQUIRE((stored.bytes.empty() || std::memcmp(stored.bytes.data(), array.data, stored.bytes.size()) == 0));
  }
  CHECK(file.values<uint64_t>("wide")[2] == ~uint64_t{0});
  engine::write_npz(folder / "none.npz", {});
  CHECK(NpzFile::read(folder / "none.npz").names().empty());
}

TEST_CASE("the writer's entries carry the format's first time and numpy's header", "[npz]") {
  const TempFolder folder;
  const double values[2] = {1, 2};
  const ArrayToStore array{"a", NpyType::F64, {2}, values};
  engine::write_npz(folder / "f.npz", {&array, 1});
  const std::vector<uint8_t> bytes = engine::read_file(folder / "f.npz", 1 << 20);
  CHECK(std::vector<uint8_t>(bytes.begin() + 10, bytes.begin() + 14) == std::vector<uint8_t>{0, 0, 33, 0});
  const std::vector<engine::ZipEntry> entries = engine::zip_entries(bytes, "f");
  REQUIRE(entries.size() == 1);
  const std::vector<uint8_t> content = engine::unzip(entries[0], 1 << 20, "f");
  CHECK(content.size() == 128 + 16);
  std::string header(content.begin(), content.begin() + 128);
  std::string expected("\x93NUMPY\x01\x00\x76\x00", 10);
  expected += "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }";
  expected.resize(127, ' ');
  CHECK(header == expected + "\n");
}

TEST_CASE("arrays that cannot be stored are bugs", "[npz]") {
  const TempFolder folder;
  const float x[2] = {};
  const auto code = [&](const std::vector<ArrayToStore>& arrays) {
    return thrown_by([&] { engine::write_npz(folder / "f", arrays); }).code;
  };
  CHECK(code({{"t", NpyType::F32, {1}, x}, {"t", NpyType::F32, {1}, x}}) == ExitCode::Internal);
  CHECK(code({{"", NpyType::F32, {1}, x}}) == ExitCode::Internal);
  CHECK(code({{"t", NpyType::F32, {1}, nullptr}}) == ExitCode::Internal);
  CHECK(code({{"t", NpyType::F32, {int64_t{1} << 40, int64_t{1} << 40}, x}}) == ExitCode::Internal);
  CHECK(folder.listing().empty());
}

TEST_CASE("npy headers that break a rule are refused, odd ones are read", "[npz]") {
  const std::string type = "'descr': '<f4', ", order = "'fortran_order': False, ", shape = "'shape': (2,), ";
  CHECK(npy_refusal("{" + type + order + shape + "}", 8).empty());
  CHECK(npy_refusal("{\n" + shape + order + type + "}   \n", 8).empty());
  CHECK(npy_refusal("{'descr':'<f4','fortran_order':False,'shape':(2)}", 8).empty());
  CHECK(npy_refusal("{" + type + order + "'shape': ()}", 4).empty());
  const std::string many = "(" + [] {
    std::string ones;
    for (int i = 0; i < 32; ++i) ones += "1,";
    return ones;
  }();
  CHECK(npy_refusal("{" + type + order + "'shape': " + many + ")}", 4).empty());
  CHECK(contains(npy_refusal("{" + type + order + "'shape': " + many + "1)}", 4), "at most 32"));
  for (const std::string& bad : {std::string(""),
                                 std::string("{"),
                                 std::string("{}"),
                                 std::string("[]"),
                                 "{" + type + order + "}",
                                 "{" + order + shape + "}",
                                 "{" + type + shape + "}",
                                 "{" + type + type + order + shape + "}",
                                 "{" + type + order + shape + "'x': 1}",
                                 "{" + type + order + shape + "} {}",
                                 "{" + type + order + shape + "}" + std::string(1, '\0'),
                                 "{" + type + "'fortran_order': True, " + shape + "}",
                                 "{'descr': '>f4', " + order + shape + "}",
                                 "{'descr': '|O', " + order + shape + "}",
                                 "{'descr': [('a', '<f4')], " + order + shape + "}",
                                 "{" + type + order + "'shape': (-2,)}",
                                 "{" + type + order + "'shape': (,)}",
                                 "{" + type + order + "'shape': (2,,)}",
                                 "{" + type + order + "'shape': (2",
                                 "{" + type + order + "'shape': 2}",
                                 "{" + type + order + "'shape': (9223372036854775808,)}",
                                 "{" + type + order + "'shape': (2.0,)}"}) {
    INFO(bad);
    CHECK(contains(npy_refusal(bad, 8), "of the npy header is not understood"));
  }
  CHECK(contains(npy_refusal("{" + type + order + shape + "}", 7), "another size"));
  CHECK(contains(npy_refusal("{" + type + order + shape + "}", 9), "another size"));
  CHECK(contains(npy_refusal("{" + type + order + "'shape': (4611686018427387904, 4)}", 0), "another size"));
  CHECK(contains(npy_refusal("{" + type + order + "'shape': (4294967296, 4294967296)}", 0), "another size"));
  CHECK(contains(refusal(zipped({{"a.npy", npy("{}", 0, "\x93NUMPY\x02")}})), "version 1.0"));
  CHECK(contains(refusal(zipped({{"a.npy", ""}})), "version 1.0"));
  CHECK(contains(refusal(zipped({{"a.npy", std::string("\x93NUMPY\x01\x00\x01", 9)}})), "version 1.0"));
  CHECK(contains(refusal(zipped({{"a.npy", npy("{}", 0).substr(0, 11)}})), "ends inside its header"));
}

TEST_CASE("zip files that break a rule are refused", "[npz]") {
  const std::string good = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 8);
  CHECK(refusal(zipped({{"a.npy", good}, {"b.npy", good}})).empty());
  CHECK(contains(refusal(zipped({{"a.npy", good}, {"a.npy", good}})), "one name"));
  CHECK(contains(refusal(zipped({{"a.txt", good}})), "no array"));
  CHECK(contains(refusal(zipped({{".npy", good}})), "no array"));
  CHECK(contains(refusal({}), "not a zip file"));
  CHECK(contains(refusal(std::vector<uint8_t>(100000, 'P')), "not a zip file"));
  CHECK(patched(0, 0x04034b50, 4).empty());
  CHECK(contains(patched(kEnd, 0, 4), "not a zip file"));
  CHECK(contains(patched(kEnd + 20, 1, 2), "not a zip file"));      // a comment that is not there
  CHECK(contains(patched(kEnd + 4, 1, 2), "split"));                // disk
  CHECK(contains(patched(kEnd + 10, 2, 2), "split"));               // entries, other than on this disk
  CHECK(contains(patched(kEnd + 8, 0xffffffff, 4), "zip64"));       // both counts
  CHECK(contains(patched(kEnd + 16, 0xffffffff, 4), "zip64"));      // the directory's offset
  CHECK(contains(patched(kEnd + 12, 0, 4), "does not end where"));  // its size
  CHECK(contains(patched(kEnd + 8, 0, 4), "longer than its entries"));
  CHECK(contains(patched(kEnd + 8, 0x20002, 4), "directory is damaged"));
  CHECK(contains(patched(kCentral, 0, 1), "directory is damaged"));
  CHECK(contains(patched(kCentral + 28, 9, 2), "ends inside an entry"));
  CHECK(contains(patched(kCentral + 30, 0xffff, 2), "ends inside an entry"));
  CHECK(contains(patched(kCentral + 8, 1, 2), "not read here"));          // encrypted
  CHECK(contains(patched(kCentral + 10, 12, 2), "not read here"));        // bzip2
  CHECK(contains(patched(kCentral + 10, 0, 2), "cannot have its size"));  // stored, but of another size
  CHECK(contains(patched(kCentral + 16, 0, 4), "checksum"));
  CHECK(contains(patched(kCentral + 20, 0xfffffff0, 4), "reaches into"));
  CHECK(contains(patched(kCentral + 20, 5, 4), "damaged"));  // packed size
  CHECK(contains(patched(kCentral + 24, 0xfffffff0, 4), "cannot have its size"));
  CHECK(contains(patched(kCentral + 24, 70, 4), "damaged"));  // unpacked size
  CHECK(contains(patched(kCentral + 42, 1, 4), "no header at its place"));
  CHECK(contains(patched(kCentral + 42, 0xfffffff0, 4), "no header at its place"));
}

TEST_CASE("entries that share their bytes are refused", "[npz]") {
  const std::string good = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 8);
  std::vector<uint8_t> bytes = zipped({{"a.npy", good}, {"b.npy", good}});
  const size_t second = bytes.size() - 22 - 51;
  for (size_t i = 42; i < 46; ++i) bytes[second + i] = bytes[second - 51 + i];
  CHECK(contains(refusal(bytes), "lies over another"));
}

TEST_CASE("an npz file cut at any byte is refused", "[npz]") {
  const std::vector<uint8_t> whole = numpy_file();
  for (size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    REQUIRE(!refusal({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)}).empty());
  }
}

TEST_CASE("a flipped bit of an npz file never changes an array unseen", "[npz]") {
  const std::vector<uint8_t> whole = numpy_file();
  const NpzFile good = NpzFile::parse(whole, "good");
  int unseen = 0;
  for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::vector<uint8_t> flipped = whole;
    flipped[bit / 8] = static_cast<uint8_t>(flipped[bit / 8] ^ (1 << (bit % 8)));
    const Thrown thrown = thrown_by([&] {
      const NpzFile file = NpzFile::parse(std::move(flipped), "f");
      // Names and time stamps have no checksum in a zip file; contents do.
      for (const std::string& name : file.names()) {
        const std::vector<uint8_t> bytes = file.array(name).bytes;
        if (good.contains(name) && bytes != good.array(name).bytes) ++unseen;
      }
    });
    if (thrown.code != ExitCode::Ok && thrown.code != ExitCode::BadData) ++unseen;
  }
  CHECK(unseen == 0);
}
