// The MAT-file reader on files built here byte by byte (both byte orders, compressed, small elements, every
// storage type), on damaged ones, and on the annotations of the Leeds extended data set.
#include "cpm/dataset/mat_file.h"

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/io/file.h"
#include "engine/runtime/random.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

namespace {

using Bytes = std::vector<uint8_t>;
using cpm::MatArray;
using kernels::ExitCode;
using tests::Thrown;
using tests::thrown_by;

constexpr uint32_t kInt8 = 1, kUint8 = 2, kInt32 = 5, kUint32 = 6, kDouble = 9, kMatrix = 14,
                   kCompressed = 15;
constexpr uint32_t kCharClass = 4, kDoubleClass = 6, kUint8Class = 9;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Appends numbers in one byte order (the tests run on little-endian machines).
struct Writer {
  bool big = false;
  Bytes bytes;

  template <class T>
  Writer& put(T value) {
    uint8_t raw[sizeof(T)];
    std::memcpy(raw, &value, sizeof(T));
    if (big) std::reverse(raw, raw + sizeof(T));
    bytes.insert(bytes.end(), raw, raw + sizeof(T));
    return *this;
  }
  Writer& pad() {
    while (bytes.size() % 8 != 0) bytes.push_back(0);
    return *this;
  }
  Writer& element(uint32_t type, const Bytes& content) {
    put(type).put(static_cast<uint32_t>(content.size()));
    bytes.insert(bytes.end(), content.begin(), content.end());
    return type == kCompressed ? *this : pad();
  }
  Writer& small(uint32_t type, const Bytes& content) {
    put(static_cast<uint32_t>(content.size() << 16 | type));
    bytes.insert(bytes.end(), content.begin(), content.end());
    return pad();
  }
  Writer& header() {
    std::string text = "MATLAB 5.0 MAT-file, made by a test";
    text.resize(124, ' ');
    bytes.assign(text.begin(), text.end());
    return put(uint16_t{0x0100}).put(uint16_t{0x4d49});
  }
};

template <class T>
Bytes numbers(const std::vector<T>& values, bool big) {
  Writer writer{big};
  for (const T value : values) writer.put(value);
  return writer.bytes;
}

struct ArraySpec {
  uint32_t flags = kDoubleClass;
  std::vector<int32_t> dims;
  std::string name = "a";
  uint32_t type = kDouble;
  Bytes content;
};

/// A miMATRIX element.
Bytes matrix(const ArraySpec& spec, bool big) {
  Writer inside{big};
  inside.element(kUint32, numbers<uint32_t>({spec.flags, 0}, big));
  inside.element(kInt32, numbers(spec.dims, big));
  const Bytes name(spec.name.begin(), spec.name.end());
  if (!name.empty() && name.size() <= 4) {
    inside.small(kInt8, name);
  } else {
    inside.element(kInt8, name);
  }
  if (!spec.content.empty() && spec.content.size() <= 4) {
    inside.small(spec.type, spec.content);
  } else {
    inside.element(spec.type, spec.content);
  }
  return Writer{big}.element(kMatrix, inside.bytes).bytes;
}

Bytes file_of(const std::vector<Bytes>& elements, bool big = false) {
  Bytes file = Writer{big}.header().bytes;
  for (const Bytes& element : elements) file.insert(file.end(), element.begin(), element.end());
  return file;
}

Bytes compressed(const Bytes& element, bool big = false) {
  uLongf size = compressBound(element.size());
  Bytes packed(size);
  REQUIRE(compress(packed.data(), &size, element.data(), element.size()) == Z_OK);
  packed.resize(size);
  return Writer{big}.element(kCompressed, packed).bytes;
}

std::string refusal(const Bytes& file) {
  const Thrown thrown = thrown_by([&] { cpm::parse_mat(file, "dir/joints.mat"); });
  if (thrown.code == ExitCode::Ok) return "";
  CHECK(thrown.code == ExitCode::BadData);
  CHECK(thrown.line.rfind("dir/joints.mat: ", 0) == 0);
  return thrown.line;
}

const std::vector<double> kSix = {1.5, -2, 3e100, 0.1, 5, -6};

/// Two arrays, the second stored as bytes, with text and an empty array between them.
Bytes mixed_file(bool big, bool packed) {
  const std::vector<Bytes> plain = {
      matrix({kDoubleClass, {2, 3}, "joints", kDouble, numbers(kSix, big)}, big),
      matrix({kCharClass, {1, 2}, "text", 16, {'h', 'i'}}, big), Writer{big}.element(kMatrix, {}).bytes,
      matrix({kDoubleClass, {3, 1}, "b", kUint8, {7, 0, 255}}, big)};
  std::vector<Bytes> elements = plain;
  if (packed) {
    for (Bytes& element : elements) element = compressed(element, big);
  }
  return file_of(elements, big);
}

}  // namespace

TEST_CASE("numeric arrays are read in both byte orders, plain and compressed", "[mat]") {
  for (const bool big : {false, true}) {
    for (const bool packed : {false, true}) {
      CAPTURE(big);
      CAPTURE(packed);
      const std::vector<MatArray> arrays = cpm::parse_mat(mixed_file(big, packed), "m");
      REQUIRE(arrays.size() == 2);
      CHECK(arrays[0].name == "joints");
      CHECK(arrays[0].dims == std::vector<int64_t>{2, 3});
      CHECK(arrays[0].values == kSix);
      CHECK(arrays[1].name == "b");
      CHECK(arrays[1].dims == std::vector<int64_t>{3, 1});
      CHECK(arrays[1].values == std::vector<double>{7, 0, 255});
    }
  }
}

TEST_CASE("numbers are converted from the type they are stored in", "[mat]") {
  for (const bool big : {false, true}) {
    const auto read = [&](uint32_t type, const Bytes& content) {
      return cpm::parse_mat(file_of({matrix({kDoubleClass, {1, 2}, "x", type, content}, big)}, big), "m")[0]
          .values;
    };
    using Two = std::vector<double>;
    CHECK(read(1, numbers<int8_t>({-128, 127}, big)) == Two{-128, 127});
    CHECK(read(2, numbers<uint8_t>({0, 255}, big)) == Two{0, 255});
    CHECK(read(3, numbers<int16_t>({-32768, 258}, big)) == Two{-32768, 258});
    CHECK(read(4, numbers<uint16_t>({65535, 258}, big)) == Two{65535, 258});
    CHECK(read(5, numbers<int32_t>({-2147483647, 66051}, big)) == Two{-2147483647, 66051});
    CHECK(read(6, numbers<uint32_t>({4294967295u, 66051}, big)) == Two{4294967295.0, 66051});
    CHECK(read(7, numbers<float>({0.1f, -3e38f}, big)) == Two{0.1f, -3e38f});
    CHECK(read(9, numbers<double>({0.1, -3e300}, big)) == Two{0.1, -3e300});
    CHECK(read(12, numbers<int64_t>({-5, int64_t{1} << 40}, big)) == Two{-5, 0x1p40});
    CHECK(read(13, numbers<uint64_t>({5, uint64_t{1} << 63}, big)) == Two{5, 0x1p63});
  }
}

TEST_CASE("corners: empty files and arrays, many dimensions, padding left out", "[mat]") {
  CHECK(cpm::parse_mat(file_of({}), "m").empty());
  CHECK(cpm::parse_mat(file_of({matrix({kDoubleClass, {0, 5}, "e", kDouble, {}}, false)}), "m")[0]
            .values.empty());
  const auto four =
      cpm::parse_mat(file_of({matrix({kUint8Class, {1, 2, 1, 2}, "", kUint8, {1, 2, 3, 4}}, false)}), "m");
  CHECK(four[0].dims == std::vector<int64_t>{1, 2, 1, 2});
  CHECK(four[0].name.empty());
  CHECK(four[0].values == std::vector<double>{1, 2, 3, 4});
  // The last numbers end at byte 5 of 8 and the matrix with them.
  Bytes bytes = matrix({kUint8Class, {1, 5}, "v", kUint8, {1, 2, 3, 4, 5}}, false);
  bytes.resize(bytes.size() - 3);
  bytes[4] = static_cast<uint8_t>(bytes[4] - 3);
  CHECK(cpm::parse_mat(file_of({bytes}), "m")[0].values.back() == 5);
}

TEST_CASE("files of other kinds are named", "[mat]") {
  const std::string hdf5 = "\x89HDF\r\n\x1a\n";
  Bytes v73(512, ' ');
  std::copy_n("MATLAB 7.3 MAT-file", 19, v73.begin());
  CHECK(contains(refusal(v73), "-v7"));
  Bytes behind(520);
  std::copy(hdf5.begin(), hdf5.end(), behind.begin() + 512);
  CHECK(contains(refusal(behind), "HDF5"));
  CHECK(contains(refusal(Bytes(hdf5.begin(), hdf5.end())), "HDF5"));
  CHECK(contains(refusal({}), "ends inside its header"));
  CHECK(contains(refusal(Bytes(127, ' ')), "ends inside its header"));
  CHECK(contains(refusal(Bytes(200, ' ')), "not a MAT-file of version 5"));
  Bytes old = file_of({});
  old[125] = 2;
  CHECK(contains(refusal(old), "unknown version"));
  CHECK(contains(thrown_by([] { cpm::read_mat("missing.mat"); }).line, "missing.mat: there is no such file"));
}

TEST_CASE("lengths, types and dimensions that do not fit are refused with their place", "[mat]") {
  const Bytes six = numbers(kSix, false);
  const auto one = [&](const ArraySpec& spec) { return refusal(file_of({matrix(spec, false)})); };
  CHECK(one({kDoubleClass, {2, 3}, "a", kDouble, six}).empty());
  CHECK(contains(one({kDoubleClass, {2, 4}, "a", kDouble, six}), "do not fill"));
  CHECK(contains(one({kDoubleClass, {1, 3}, "a", kDouble, six}), "do not fill"));
  CHECK(contains(one({kDoubleClass, {0, 3}, "a", kDouble, six}), "do not fill"));
  CHECK(contains(one({kDoubleClass, {1, 3}, "a", 3, {1, 2, 3}}), "do not fill"));
  CHECK(contains(one({kDoubleClass, {-2, -3}, "a", kDouble, six}), "bad dimensions"));
  CHECK(contains(one({kDoubleClass, {6}, "a", kDouble, six}), "bad dimensions"));
  CHECK(contains(one({kDoubleClass, {65536, 65536, 65536, 65536}, "a", kDouble, six}), "bad dimensions"));
  CHECK(contains(one({kDoubleClass, std::vector<int32_t>(65, 1), "a", kDouble, {}}), "bad dimensions"));
  // 2^61 doubles are 2^64 bytes.
  CHECK(contains(one({kDoubleClass, {1 << 30, 1 << 30, 2}, "a", kDouble, {}}), "do not fill"));
  CHECK(contains(one({kDoubleClass, {2, 3}, "a", 8, six}), "unknown type"));
  CHECK(contains(one({kDoubleClass, {2, 3}, "a", kMatrix, six}), "unknown type"));
  CHECK(contains(one({kDoubleClass | 0x0800, {2, 3}, "a", kDouble, six}), "'a' is complex"));
  CHECK(contains(one({0, {2, 3}, "a", kDouble, six}), "unknown array class"));
  CHECK(contains(one({99, {2, 3}, "a", kDouble, six}), "unknown array class"));
  for (const uint32_t other : {1u, 2u, 3u, 4u, 5u, 16u, 17u, 18u})
    CHECK(one({other, {2, 3}, "a", 0, {}}).empty());

  CHECK(contains(refusal(file_of({Bytes(7)})), "at byte 128: the file ends inside a tag"));
  CHECK(
      contains(refusal(file_of({Writer{}.element(kDouble, six).bytes})), "at byte 128: unexpected element"));
  CHECK(contains(refusal(file_of({Writer{}.put(kMatrix).put(0xffffffffu).bytes})),
                 "at byte 128: an element is longer"));
  CHECK(contains(refusal(file_of({Writer{}.put(0x0005000eu).put(0u).bytes})),
                 "at byte 128: bad size of a small"));
  Bytes flags = matrix({kDoubleClass, {2, 3}, "a", kDouble, six}, false);
  flags[8] = kInt32;
  CHECK(contains(refusal(file_of({flags})), "at byte 144: bad array flags"));
}

TEST_CASE("compressed elements that are damaged, nested or too large are refused", "[mat]") {
  const Bytes plain = matrix({kDoubleClass, {2, 3}, "a", kDouble, numbers(kSix, false)}, false);
  CHECK(refusal(file_of({compressed(plain)})).empty());
  CHECK(contains(refusal(file_of({compressed(compressed(plain))})), "unexpected element"));
  CHECK(contains(refusal(file_of({Writer{}.element(kCompressed, {1, 2, 3, 4}).bytes})), "damaged"));
  CHECK(contains(refusal(file_of({Writer{}.element(kCompressed, {}).bytes})), "damaged"));
  CHECK(contains(refusal(file_of({compressed({})})), "of the element inflated from byte 128"));

  Bytes two = plain;
  two.insert(two.end(), plain.begin(), plain.end());
  CHECK(contains(refusal(file_of({compressed(two)})), "bytes behind the element"));
  Bytes longer = compressed(plain);
  longer.push_back(0);
  longer[4] = static_cast<uint8_t>(longer[4] + 1);
  CHECK(contains(refusal(file_of({longer})), "bytes behind the compressed data"));

  const Bytes bomb = compressed(Bytes(size_t{80} << 20));  // zeros: a thousandth of their size
  CHECK(bomb.size() < 100000);
  CHECK(contains(refusal(file_of({bomb})), "inflates to too much"));
}

TEST_CASE("a file cut at any byte gives data before the cut or is refused", "[mat]") {
  for (const bool packed : {false, true}) {
    const Bytes whole = mixed_file(false, packed);
    int accepted = 0;
    for (size_t size = 0; size < whole.size(); ++size) {
      const std::string line =
          refusal(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
      if (line.empty()) ++accepted;
    }
    // Between elements a file may end; plain elements may also miss the padding in their last 8 bytes.
    CAPTURE(packed);
    CHECK(accepted == 4);
  }
}

TEST_CASE("flipped bytes never do more than change numbers or be refused", "[mat]") {
  engine::Random random(3, engine::RandomStream::Test, 0);
  for (const bool packed : {false, true}) {
    const Bytes whole = mixed_file(packed, packed);
    int refused = 0;
    for (int i = 0; i < 500; ++i) {
      Bytes flipped = whole;
      uint8_t& byte = flipped[random.below(static_cast<uint32_t>(whole.size()))];
      byte = static_cast<uint8_t>(byte ^ (1 + random.below(255)));
      if (!refusal(flipped).empty()) ++refused;
    }
    CHECK(refused > 100);
  }
}

TEST_CASE("the joints of the Leeds extended data set are those another reader sees", "[mat]") {
  const auto path = tests::test_data() / "data/lspet/joints.mat";
  CPM_SKIP_IF(tests::test_data().empty() || !std::filesystem::exists(path),
              "CPM_TEST_DATA has no lspet/joints.mat");
  const std::vector<MatArray> arrays = cpm::read_mat(path);
  REQUIRE(arrays.size() == 1);
  const MatArray& joints = arrays[0];
  CHECK(joints.name == "joints");
  REQUIRE(joints.dims == std::vector<int64_t>{14, 3, 10000});
  const auto at = [&](size_t joint, size_t field, size_t image) {
    return joints.values[(image * 3 + field) * 14 + joint];
  };
  // By scipy.io.loadmat (1.17.1).
  CHECK(at(0, 0, 0) == 0.0);
  CHECK(at(1, 0, 0) == 26.030943518527007);
  CHECK(at(13, 2, 9999) == 1.0);
  CHECK(at(5, 1, 1234) == 54.187581144635054);
  CHECK(at(0, 1, 0) == -26.109114520084145);
  CHECK(at(7, 0, 5000) == 94.52532975515354);
  double sum = 0;
  for (const double value : joints.values) sum += value;
  CHECK(std::abs(sum - 30598262.16591599) < 1e-3);
}
