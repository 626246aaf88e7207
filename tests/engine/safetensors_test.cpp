// The safetensors reader and writer: a file by the Python package, files that break each rule of the format,
// cuts at every byte and flips of single bits.
#include "engine/io/safetensors.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "engine/io/file.h"
#include "engine/runtime/random.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

namespace {

using engine::SafetensorsFile;
using kernels::DType;
using kernels::ExitCode;
using tests::TempFolder;
using tests::Thrown;
using tests::thrown_by;

// safetensors.numpy.save (package version 0.8.0) of a: float64 [0.001, 2], b.weight: float32 [[1.5,
// -2, 3.25]], bytes: uint8 [1, 2, 255], none: float32 of shape [0, 4], scalar: float32 7, with metadata
// pooling = torch.
constexpr unsigned char kByPython[] = {
    0x50, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x7b, 0x22, 0x5f, 0x5f, 0x6d, 0x65, 0x74, 0x61, 0x64,
    0x61, 0x74, 0x61, 0x5f, 0x5f, 0x22, 0x3a, 0x7b, 0x22, 0x70, 0x6f, 0x6f, 0x6c, 0x69, 0x6e, 0x67, 0x22,
    0x3a, 0x22, 0x74, 0x6f, 0x72, 0x63, 0x68, 0x22, 0x7d, 0x2c, 0x22, 0x61, 0x22, 0x3a, 0x7b, 0x22, 0x64,
    0x74, 0x79, 0x70, 0x65, 0x22, 0x3a, 0x22, 0x46, 0x36, 0x34, 0x22, 0x2c, 0x22, 0x73, 0x68, 0x61, 0x70,
    0x65, 0x22, 0x3a, 0x5b, 0x32, 0x5d, 0x2c, 0x22, 0x64, 0x61, 0x74, 0x61, 0x5f, 0x6f, 0x66, 0x66, 0x73,
    0x65, 0x74, 0x73, 0x22, 0x3a, 0x5b, 0x30, 0x2c, 0x31, 0x36, 0x5d, 0x7d, 0x2c, 0x22, 0x62, 0x2e, 0x77,
    0x65, 0x69, 0x67, 0x68, 0x74, 0x22, 0x3a, 0x7b, 0x22, 0x64, 0x74, 0x79, 0x70, 0x65, 0x22, 0x3a, 0x22,
    0x46, 0x33, 0x32, 0x22, 0x2c, 0x22, 0x73, 0x68, 0x61, 0x70, 0x65, 0x22, 0x3a, 0x5b, 0x31, 0x2c, 0x33,
    0x5d, 0x2c, 0x22, 0x64, 0x61, 0x74, 0x61, 0x5f, 0x6f, 0x66, 0x66, 0x73, 0x65, 0x74, 0x73, 0x22, 0x3a,
    0x5b, 0x31, 0x36, 0x2c, 0x32, 0x38, 0x5d, 0x7d, 0x2c, 0x22, 0x6e, 0x6f, 0x6e, 0x65, 0x22, 0x3a, 0x7b,
    0x22, 0x64, 0x74, 0x79, 0x70, 0x65, 0x22, 0x3a, 0x22, 0x46, 0x33, 0x32, 0x22, 0x2c, 0x22, 0x73, 0x68,
    0x61, 0x70, 0x65, 0x22, 0x3a, 0x5b, 0x30, 0x2c, 0x34, 0x5d, 0x2c, 0x22, 0x64, 0x61, 0x74, 0x61, 0x5f,
    0x6f, 0x66, 0x66, 0x73, 0x65, 0x74, 0x73, 0x22, 0x3a, 0x5b, 0x32, 0x38, 0x2c, 0x32, 0x38, 0x5d, 0x7d,
    0x2c, 0x22, 0x73, 0x63, 0x61, 0x6c, 0x61, 0x72, 0x22, 0x3a, 0x7b, 0x22, 0x64, 0x74, 0x79, 0x70, 0x65,
    0x22, 0x3a, 0x22, 0x46, 0x33, 0x32, 0x22, 0x2c, 0x22, 0x73, 0x68, 0x61, 0x70, 0x65, 0x22, 0x3a, 0x5b,
    0x5d, 0x2c, 0x22, 0x64, 0x61, 0x74, 0x61, 0x5f, 0x6f, 0x66, 0x66, 0x73, 0x65, 0x74, 0x73, 0x22, 0x3a,
    0x5b, 0x32, 0x38, 0x2c, 0x33, 0x32, 0x5d, 0x7d, 0x2c, 0x22, 0x62, 0x79, 0x74, 0x65, 0x73, 0x22, 0x3a,
    0x7b, 0x22, 0x64, 0x74, 0x79, 0x70, 0x65, 0x22, 0x3a, 0x22, 0x55, 0x38, 0x22, 0x2c, 0x22, 0x73, 0x68,
    0x61, 0x70, 0x65, 0x22, 0x3a, 0x5b, 0x33, 0x5d, 0x2c, 0x22, 0x64, 0x61, 0x74, 0x61, 0x5f, 0x6f, 0x66,
    0x66, 0x73, 0x65, 0x74, 0x73, 0x22, 0x3a, 0x5b, 0x33, 0x32, 0x2c, 0x33, 0x35, 0x5d, 0x7d, 0x7d, 0x20,
    0x20, 0x20, 0x20, 0x20, 0xfc, 0xa9, 0xf1, 0xd2, 0x4d, 0x62, 0x50, 0x3f, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x40, 0x00, 0x00, 0xc0, 0x3f, 0x00, 0x00, 0x00, 0xc0, 0x00, 0x00, 0x50, 0x40, 0x00, 0x00,
    0xe0, 0x40, 0x01, 0x02, 0xff,
};

std::vector<uint8_t> python_file() {
  return {std::begin(kByPython), std::end(kByPython)};
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// A file with this header and `data` zero bytes.
std::vector<uint8_t> with_header(const std::string& header, size_t data) {
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i < 8; ++i) bytes.push_back(static_cast<uint8_t>(uint64_t{header.size()} >> (8 * i)));
  bytes.insert(bytes.end(), header.begin(), header.end());
  bytes.resize(bytes.size() + data);
  return bytes;
}

/// The error line of parsing the bytes; empty where they are accepted.
std::string refusal(const std::vector<uint8_t>& bytes) {
  const Thrown thrown = thrown_by([&] { SafetensorsFile::parse(bytes, "dir/some.safetensors"); });
  if (thrown.code == ExitCode::Ok) return "";
  CHECK(thrown.code == ExitCode::BadData);
  CHECK(thrown.line.rfind("dir/some.safetensors: ", 0) == 0);
  CHECK(thrown.line.find('\n') == std::string::npos);
  return thrown.line;
}

std::string refusal(const std::string& header, size_t data) {
  return refusal(with_header(header, data));
}

/// A header of one tensor.
std::string one(const std::string& fields) {
  return "{\"t\":{" + fields + "}}";
}

const std::string kGood = R"("dtype":"F32","shape":[2],"data_offsets":[0,8])";

}  // namespace

TEST_CASE("a file by the safetensors package is read", "[safetensors]") {
  const SafetensorsFile file = SafetensorsFile::parse(python_file(), "python");
  CHECK(file.name() == "python");
  CHECK(file.tensors().size() == 5);
  CHECK(file.metadata() == std::map<std::string, std::string>{{"pooling", "torch"}});
  CHECK(file.values<double>("a") == std::vector<double>{0.001, 2});
  CHECK(file.values<float>("a") == std::vector<float>{0.001f, 2});
  CHECK(file.at("b.weight").shape == std::vector<int64_t>{1, 3});
  CHECK(file.values<float>("b.weight") == std::vector<float>{1.5f, -2, 3.25f});
  CHECK(file.values<double>("b.weight") == std::vector<double>{1.5, -2, 3.25});
  CHECK(file.at("scalar").shape.empty());
  CHECK(file.at("scalar").count() == 1);
  CHECK(file.values<float>("scalar") == std::vector<float>{7});
  CHECK(file.at("none").shape == std::vector<int64_t>{0, 4});
  CHECK(file.values<float>("none").empty());
  const auto bytes = file.at("bytes").bytes;
  CHECK(std::vector<uint8_t>(bytes.begin(), bytes.end()) == std::vector<uint8_t>{1, 2, 255});

  const Thrown integers = thrown_by([&] { file.values<float>("bytes"); });
  CHECK(integers.code == ExitCode::BadData);
  CHECK(contains(integers.line, "U8"));
  const Thrown missing = thrown_by([&] { file.at("b.wieght"); });
  CHECK(missing.code == ExitCode::BadData);
  CHECK(contains(missing.line, "python: "));
  CHECK(contains(missing.line, "'b.weight'"));
}

TEST_CASE("a moved file keeps its tensors", "[safetensors]") {
  SafetensorsFile first = SafetensorsFile::parse(python_file(), "python");
  const SafetensorsFile second = std::move(first);
  CHECK(second.values<float>("scalar") == std::vector<float>{7});
}

TEST_CASE("the writer's bytes are those of the format's own writer", "[safetensors]") {
  const TempFolder folder;
  const double a[] = {0.001, 2};
  const float b[] = {1.5f, -2, 3.25f}, scalar = 7;
  const auto path = folder / "w.safetensors";
  engine::write_safetensors(path,
                            {{"scalar", DType::F32, {}, &scalar},
                             {"b.weight", DType::F32, {1, 3}, b},
                             {"none", DType::F32, {0, 4}, nullptr},
                             {"a", DType::F64, {2}, a}},
                            {{"pooling", "torch"}});
  const std::vector<uint8_t> written = engine::read_file(path, 1 << 20);
  // The constant holds one tensor more, "bytes", at the end of header and data; without it they must agree.
  std::string header =
      R"({"__metadata__":{"pooling":"torch"},"a":{"dtype":"F64","shape":[2],"data_offsets":[0,16]},)"
      R"("b.weight":{"dtype":"F32","shape":[1,3],"data_offsets":[16,28]},)"
      R"("none":{"dtype":"F32","shape":[0,4],"data_offsets":[28,28]},)"
      R"("scalar":{"dtype":"F32","shape":[],"data_offsets":[28,32]}})";
  CHECK(std::equal(header.begin(), header.end() - 1, std::begin(kByPython) + 8));
  header.resize((header.size() + 7) / 8 * 8, ' ');
  std::vector<uint8_t> expected = with_header(header, 0);
  expected.insert(expected.end(), std::end(kByPython) - 35, std::end(kByPython) - 3);
  CHECK(written == expected);
  CHECK(written.size() % 8 == 0);
}

TEST_CASE("what is written comes back bit for bit and equal input gives equal files", "[safetensors]") {
  const TempFolder folder;
  engine::Random random(1, engine::RandomStream::Test, 0);
  std::vector<float> floats(999);
  std::vector<double> doubles(77);
  for (float& x : floats) {
    const uint32_t bits = random.bits();  // any bits: NaNs with payloads, infinities, subnormals
    std::memcpy(&x, &bits, sizeof(x));
  }
  for (double& x : doubles) x = random.normal() * 1e300;
  const std::map<std::string, std::string> metadata = {
      {"joints", "[\"right ankle\", \"\xc3\xa9\"]"}, {"empty", ""}, {"odd", "\x01\n\t\\\"/"}};
  const std::vector<engine::TensorToStore> tensors = {{"z", DType::F32, {9, 111}, floats.data()},
                                                      {"odd \"name\"\n", DType::F32, {3}, floats.data() + 5},
                                                      {"moments", DType::F64, {7, 11}, doubles.data()}};
  for (const bool checksums : {false, true}) {
    CAPTURE(checksums);
    engine::write_safetensors(folder / "1", tensors, metadata, checksums);
    engine::write_safetensors(folder / "2", {tensors[2], tensors[0], tensors[1]}, metadata, checksums);
    CHECK(engine::read_file(folder / "1", 1 << 20) == engine::read_file(folder / "2", 1 << 20));
    const SafetensorsFile file = SafetensorsFile::read(folder / "1");
    CHECK(std::memcmp(file.at("z").bytes.data(), floats.data(), 4 * 999) == 0);
    CHECK(std::memcmp(file.at("odd \"name\"\n").bytes.data(), floats.data() + 5, 12) == 0);
    CHECK(file.values<double>("moments") == doubles);
    for (const auto& [key, value] : metadata) CHECK(file.metadata().at(key) == value);
    CHECK(file.metadata().size() == metadata.size() + (checksums ? 4 : 0));
    CHECK(thrown_by([&] { engine::verify_checksums(file); }).code ==
          (checksums ? ExitCode::Ok : ExitCode::BadData));
  }
}

TEST_CASE("bytes that are no UTF-8 do not spoil a file", "[safetensors]") {
  const TempFolder folder;
  const float x = 1;
  engine::write_safetensors(folder / "f", {{"t", DType::F32, {1}, &x}}, {{"path", "\xff\xfe"}});
  CHECK(SafetensorsFile::read(folder / "f").metadata().at("path") == "\xef\xbf\xbd\xef\xbf\xbd");
}

TEST_CASE("tensors, names and shapes that cannot be stored are bugs", "[safetensors]") {
  const TempFolder folder;
  const float x[2] = {};
  const auto code = [&](std::vector<engine::TensorToStore> tensors, bool checksums) {
    return thrown_by([&] { engine::write_safetensors(folder / "f", std::move(tensors), {}, checksums); })
        .code;
  };
  CHECK(code({{"t", DType::F32, {1}, x}, {"t", DType::F32, {1}, x}}, false) == ExitCode::Internal);
  CHECK(code({{"__metadata__", DType::F32, {1}, x}}, false) == ExitCode::Internal);
  CHECK(code({{"header", DType::F32, {1}, x}}, true) == ExitCode::Internal);
  CHECK(code({{"t", DType::F32, {-1}, x}}, false) == ExitCode::Internal);
  CHECK(code({{"t", DType::F32, {int64_t{1} << 40, int64_t{1} << 40}, x}}, false) == ExitCode::Internal);
  CHECK(folder.listing().empty());
}

TEST_CASE("legal corners are accepted", "[safetensors]") {
  CHECK(refusal("{}", 0).empty());
  CHECK(refusal("{}   ", 0).empty());
  CHECK(refusal("{\"__metadata__\":{}}", 0).empty());
  CHECK(refusal(one(kGood), 8).empty());
  CHECK(refusal("{ \"t\" : {\"data_offsets\":[0,8] , \"shape\":[2],\"dtype\":\"F32\"} }", 8).empty());
  CHECK(refusal(one(R"("dtype":"F32","shape":[],"data_offsets":[0,4])"), 4).empty());
  CHECK(refusal(one(R"("dtype":"F32","shape":[0],"data_offsets":[0,0])"), 0).empty());
  CHECK(
      refusal(
          one(R"("dtype":"F32","shape":[9223372036854775807,9223372036854775807,0],"data_offsets":[0,0])"), 0)
          .empty());
  CHECK(refusal(one(R"("dtype":"F4","shape":[3,2],"data_offsets":[0,3])"), 3).empty());
  CHECK(refusal(one(R"("dtype":"F8_E8M0","shape":[3],"data_offsets":[0,3])"), 3).empty());
  CHECK(refusal(one(R"("dtype":"C64","shape":[1],"data_offsets":[0,8])"), 8).empty());
  // An empty tensor between two others, listed in any order; any name; data that start at an odd address.
  const std::string three = R"({"c":{"dtype":"U8","shape":[1],"data_offsets":[4,5]},)"
                            R"("\u00e9":{"dtype":"F32","shape":[0],"data_offsets":[4,4]},)"
                            R"("":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  CHECK(refusal(three, 5).empty());
  const std::string padding(11, ' ');
  CHECK(SafetensorsFile::parse(with_header(one(kGood) + padding, 8), "odd").values<double>("t") ==
        std::vector<double>{0, 0});
}

TEST_CASE("a broken length is refused", "[safetensors]") {
  CHECK(contains(refusal(std::vector<uint8_t>{}), "too short"));
  CHECK(contains(refusal(std::vector<uint8_t>(7)), "too short"));
  CHECK(contains(refusal(std::vector<uint8_t>(8)), "'{'"));
  std::vector<uint8_t> bytes = with_header(one(kGood), 8);
  const auto set_length = [&](uint64_t length) {
    for (size_t i = 0; i < 8; ++i) bytes[i] = static_cast<uint8_t>(length >> (8 * i));
    return refusal(bytes);
  };
  CHECK(contains(set_length(100'000'000), "ends inside its header"));
  CHECK(contains(set_length(100'000'001), "header is too long"));
  CHECK(contains(set_length(~uint64_t{0}), "header is too long"));
  CHECK(contains(set_length(bytes.size() - 7), "ends inside its header"));
  CHECK(!set_length(bytes.size() - 8).empty());
  CHECK(!set_length(one(kGood).size() - 1).empty());
  CHECK(contains(refusal("[]", 0), "'{'"));
  CHECK(contains(refusal(" {}", 0), "'{'"));
  CHECK(contains(refusal("\xef\xbb\xbf{}", 0), "'{'"));
}

TEST_CASE("a header that is not JSON is refused", "[safetensors]") {
  for (const std::string& header :
       {std::string("{"), std::string("{}}"), std::string("{} {}"), std::string("{}x"),
        std::string("{\"t\"}"), std::string("{\"t\":}"), std::string("{\"__metadata__\":{},}"),
        "{" + one(kGood), std::string("{'t':1}"), std::string("{\"\xff\":{}}"),
        std::string("{\"\xc0\x80\":{}}"), std::string("{/**/}"), std::string("{\"a\nb\":{}}"),
        std::string("{\"\\ud800\":{}}")}) {
    INFO(header);
    CHECK(contains(refusal(header, 8), "not valid JSON"));
  }
  CHECK(contains(refusal(std::string("{}\0\0", 4), 0), "NUL"));
  CHECK(contains(refusal(one(kGood) + std::string("\0,", 2), 8), "NUL"));
}

TEST_CASE("values of the wrong kind are refused", "[safetensors]") {
  const char* const values[] = {"null",
                                "true",
                                "-1",
                                "-0",
                                "1.0",
                                "1e3",
                                "\"x\"",
                                "{}",
                                "[]",
                                "[[0]]",
                                "18446744073709551616",
                                "[null]",
                                "[-1]",
                                "[0.5]",
                                "[\"1\"]",
                                "[{}]"};
  for (const std::string value : values) {
    INFO(value);
    if (value != "{}") CHECK(contains(refusal("{\"t\":" + value + "}", 0), "wrong value"));
    if (value != "\"x\"") {
      CHECK(contains(refusal(one("\"dtype\":" + value + R"(,"shape":[2],"data_offsets":[0,8])"), 8),
                     "wrong value"));
      CHECK(contains(refusal("{\"__metadata__\":{\"k\":" + value + "}}", 0), "wrong value"));
    }
    if (value != "[]") {
      CHECK(
          contains(refusal(one(R"("dtype":"F32","data_offsets":[0,8],"shape":)" + value), 8), "wrong value"));
    }
    CHECK(contains(refusal(one(R"("dtype":"F32","shape":[2],"data_offsets":)" + value), 8), "wrong value"));
    if (value != "{}") CHECK(contains(refusal("{\"__metadata__\":" + value + "}", 0), "wrong value"));
  }
  CHECK(contains(refusal("{\"t\":{}}", 0), "a field is missing"));
  CHECK(contains(refusal(one(R"("dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,8])"), 8),
                 "wrong value"));
  CHECK(contains(refusal(one(R"("dtype":"F32","shape":[2],"data_offsets":[0])"), 8), "wrong value"));
  CHECK(contains(refusal(one(R"("dtype":"F32","shape":[2],"data_offsets":[0,8,8])"), 8), "wrong value"));
}

TEST_CASE("missing, unknown and repeated keys are refused", "[safetensors]") {
  CHECK(contains(refusal(one(R"("dtype":"F32","shape":[2])"), 8), "a field is missing"));
  CHECK(contains(refusal(one(R"("dtype":"F32","data_offsets":[0,8])"), 8), "a field is missing"));
  CHECK(contains(refusal(one(R"("shape":[2],"data_offsets":[0,8])"), 8), "a field is missing"));
  CHECK(contains(refusal(one(kGood + ",\"strides\":[1]"), 8), "unknown field"));
  CHECK(contains(refusal(one(kGood + ",\"shape\":[2]"), 8), "given twice"));
  CHECK(contains(refusal("{\"t\":{" + kGood + "},\"t\":{" + kGood + "}}", 8), "given twice"));
  CHECK(contains(refusal("{\"t\":{" + kGood + "},\"\\u0074\":{" + kGood + "}}", 8), "given twice"));
  CHECK(contains(refusal(R"({"__metadata__":{"k":"1","k":"2"}})", 0), "given twice"));
  CHECK(contains(refusal(R"({"__metadata__":{},"__metadata__":{}})", 0), "given twice"));
}

TEST_CASE("deep nesting is refused without harm", "[safetensors]") {
  constexpr size_t kDepth = 2'000'000;
  CHECK(contains(refusal("{\"t\":" + std::string(kDepth, '['), 0), "wrong value"));
  CHECK(contains(refusal(one("\"shape\":" + std::string(kDepth, '[')), 0), "wrong value"));
  std::string objects = "{";
  for (size_t i = 0; i < kDepth / 10; ++i) objects += "\"t\":{";
  CHECK(contains(refusal(objects, 0), "unknown field"));
}

TEST_CASE("sizes and offsets that do not cover the data once are refused", "[safetensors]") {
  CHECK(
      contains(refusal(one(R"("dtype":"F33","shape":[2],"data_offsets":[0,8])"), 8), "unknown element type"));
  CHECK(
      contains(refusal(one(R"("dtype":"f32","shape":[2],"data_offsets":[0,8])"), 8), "unknown element type"));
  CHECK(contains(refusal(one(R"("dtype":"F32","shape":[3],"data_offsets":[0,8])"), 8), "another size"));
  CHECK(contains(refusal(one(R"("dtype":"F64","shape":[2],"data_offsets":[0,8])"), 8), "another size"));
  CHECK(contains(refusal(one(R"("dtype":"F32","shape":[2],"data_offsets":[8,0])"), 8),
                 "ends before it begins"));
  CHECK(contains(refusal(one(kGood), 7), "behind the end"));
  CHECK(contains(refusal(one(kGood), 9), "does not end where"));
  CHECK(contains(refusal("{}", 1), "does not end where"));
  CHECK(contains(refusal(one(R"("dtype":"F32","shape":[2],"data_offsets":[4,12])"), 12), "a hole"));
  CHECK(contains(refusal(one(R"("dtype":"F32","shape":[0],"data_offsets":[4,4])"), 4), "a hole"));
  CHECK(contains(refusal(one(R"("dtype":"F4","shape":[3],"data_offsets":[0,1])"), 1), "whole bytes"));
  // 2^62 * 2^62 and 2^61 * 4 * 2 bytes wrap round to what the offsets say.
  CHECK(contains(
      refusal(one(R"("dtype":"F32","shape":[4611686018427387904,4611686018427387904],"data_offsets":[0,0])"),
              0),
      "too large"));
  CHECK(contains(refusal(one(R"("dtype":"U8","shape":[2305843009213693952,8],"data_offsets":[0,0])"), 0),
                 "too large"));
  CHECK(contains(
      refusal(one(R"("dtype":"F32","shape":[2],"data_offsets":[18446744073709551608,18446744073709551615])"),
              8),
      "behind the end"));
  const std::string second = R"("u":{"dtype":"F32","shape":[1],"data_offsets":)";
  CHECK(contains(refusal("{\"t\":{" + kGood + "}," + second + "[4,8]}}", 8), "overlaps"));
  CHECK(contains(refusal("{\"t\":{" + kGood + "}," + second + "[12,16]}}", 16), "a hole"));
  CHECK(refusal("{\"t\":{" + kGood + "}," + second + "[8,12]}}", 12).empty());
}

TEST_CASE("a file cut at any byte is refused", "[safetensors]") {
  const std::vector<uint8_t> whole = python_file();
  for (size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    REQUIRE(!refusal(std::vector<uint8_t>(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)))
                 .empty());
  }
}

TEST_CASE("every flipped bit of a file with checksums is detected", "[safetensors]") {
  const TempFolder folder;
  std::vector<float> values(100);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) * 0.25f;
  engine::write_safetensors(folder / "f",
                            {{"conv1_stage1.weight", DType::F32, {4, 25}, values.data()},
                             {"conv1_stage1.bias", DType::F32, {7}, values.data()}},
                            {{"step", "12"}}, true);
  const std::vector<uint8_t> whole = engine::read_file(folder / "f", 1 << 20);
  engine::verify_checksums(SafetensorsFile::parse(whole, "f"));
  int undetected = 0;
  for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::vector<uint8_t> flipped = whole;
    flipped[bit / 8] = static_cast<uint8_t>(flipped[bit / 8] ^ (1 << (bit % 8)));
    const Thrown thrown =
        thrown_by([&] { engine::verify_checksums(SafetensorsFile::parse(std::move(flipped), "f")); });
    if (thrown.code != ExitCode::BadData || thrown.line.rfind("f: ", 0) != 0) ++undetected;
  }
  CHECK(whole.size() > 500);
  CHECK(undetected == 0);
}

TEST_CASE("a reference file of the repository is read", "[safetensors]") {
  const SafetensorsFile file =
      SafetensorsFile::read(tests::source_file("data/golden/two_stages_48x80.safetensors"));
  CHECK(!file.tensors().empty());
  for (const auto& [name, tensor] : file.tensors()) {
    CHECK(file.values<float>(name).size() == static_cast<size_t>(tensor.count()));
  }
  const Thrown missing = thrown_by([] { SafetensorsFile::read("missing.safetensors"); });
  CHECK(missing.code == ExitCode::BadData);
  CHECK(contains(missing.line, "missing.safetensors: there is no such file"));
}
