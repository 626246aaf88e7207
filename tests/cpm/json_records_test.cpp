// The reader of JSON records: what it passes over, what it refuses, where it says a fault is, how its time
// and memory grow.
#include "cpm/dataset/json_records.h"

#include <fmt/format.h>

#include "tests/cpm/dataset_support.h"
#include "tests/support/catch.h"

using cpm::JsonRecord;
using tests::says;

namespace {

std::vector<int64_t> parse(const std::string& text, const std::vector<cpm::JsonArray>& arrays) {
  return cpm::parse_json_records({reinterpret_cast<const uint8_t*>(text.data()), text.size()}, "f.json",
                                 arrays);
}

/// The error that this text, read as a list of records with fields a and b, gives.
tests::Thrown refused(const std::string& text) {
  const auto error = tests::thrown_by([&] {
    parse(text, {{"", "record", {"a", "b"}, [](const JsonRecord& record) { record.numbers("a"); }}});
  });
  CHECK(error.code == kernels::ExitCode::BadData);
  CHECK(says(error, "f.json"));
  return error;
}

}  // namespace

TEST_CASE("JSON records: the arrays asked for, and of their records the fields asked for") {
  std::vector<std::string> seen;
  const auto lengths = parse(
      R"({"x": {"people": [1, {"people": []}]}, "cars": [[], {}, 3], "people": [{"deep": {"a": [1]}, "a": 1},
          {"a": [[2, 3], [4, 5]], "b": "t"}, {}], "none": [], "y": [{"people": [{}]}]})",
      {{"people",
        "person",
        {"a", "b"},
        [&](const JsonRecord& record) {
          const auto a = record.has("a") ? record.numbers("a") : cpm::NumberArray{};
          seen.push_back(fmt::format("{} deep {} shape {} values {} b {}", record.number(),
                                     record.has("deep"), fmt::join(a.shape, "x"), fmt::join(a.values, ","),
                                     record.has("b") ? record.text("b") : ""));
        }},
       {"none", "none", {}, [](const JsonRecord&) { FAIL("an empty list has no record"); }},
       {"absent", "absent", {}, {}},
       {"", "root", {}, {}}});
  CHECK(lengths == std::vector<int64_t>{3, 0, -1, -1});
  CHECK(seen == std::vector<std::string>{"1 deep false shape  values 1 b ",
                                         "2 deep false shape 2x2 values 2,3,4,5 b t",
                                         "3 deep false shape  values  b "});
}

TEST_CASE("JSON records: syntax errors say line and column") {
  CHECK(says(refused(""), "f.json:1:1: the file is empty"));
  CHECK(says(refused("[{\"a\": 1},\n {\"a\": 2,}]"), "f.json:2:10: JSON syntax error"));
  const auto cut = refused("[{\"a\": 1},\n {\"a\"");
  CHECK(says(cut, "unexpected end of input"));
  CHECK(says(cut, "is the file complete?"));
  CHECK(says(refused("[{\"a\": NaN}]"), "JSON has no NaN"));
  CHECK(says(refused("[{\"a\": -Infinity}]"), "JSON has no NaN and no Infinity"));
  CHECK(says(refused("[{\"a\": 1e999}]"), "number overflow"));
  CHECK(says(refused("[{\"a\": 1}] x"), "expected: end of input"));
  CHECK(says(refused("[{\"a\": 1}"), "JSON syntax error"));
  CHECK(says(refused("\xff\xfe"), "JSON syntax error"));
  CHECK(says(refused("[{\"a\xff\": 1}]"), "UTF-8"));
  CHECK(says(refused(std::string("[\0{}]", 5)), "JSON syntax error"));
}

TEST_CASE("JSON records: elements and fields of another kind") {
  CHECK(says(refused("[{\"a\": 1}, 2]"), "record 2 is no record"));
  CHECK(says(refused("[{\"a\": 1}, [{\"a\": 1}]]"), "record 2 is no record"));
  CHECK(says(refused("[{\"a\": 1, \"a\": 2}]"), "record 1 has a field twice"));
  CHECK(says(refused("[{\"a\": [1, \"2\"]}]"), "record 1: a holds something else than numbers"));
  CHECK(says(refused("[{\"a\": [[1, 2], [3]]}]"), "record 1: a holds something else than numbers"));
  CHECK(says(refused("[{\"a\": [[1], 2]}]"), "record 1: a holds something else than numbers"));
  CHECK(says(refused("[{\"a\": [1, [2]]}]"), "record 1: a holds something else than numbers"));
  CHECK(says(refused("[{\"a\": true}]"), "record 1: a holds something else than numbers"));
  CHECK(says(refused("[{\"a\": {\"b\": 1}}]"), "record 1: a holds something else than numbers"));
  CHECK(says(refused("[{\"b\": 1}]"), "record 1: a is missing"));
  CHECK(says(refused("[{\"a\": " + std::string(20, '[') + std::string(20, ']') + "}]"), "nested too deep"));
  const auto twice = tests::thrown_by([] {
    parse(R"({"p": [], "p": []})", {{"p", "person", {}, [](const JsonRecord&) {}}});
  });
  CHECK(says(twice, "a key comes twice"));
}

TEST_CASE("JSON records: depth costs no stack") {
  const std::string deep(2'000'000, '[');
  CHECK(says(refused("[{\"x\": " + deep), "unexpected end of input"));
  CHECK(says(refused(deep), "is no record"));
  std::string closed = deep;
  closed.append(deep.size(), ']');
  CHECK(parse("[{\"x\": " + closed + "}]", {{"", "record", {"a"}, [](const JsonRecord&) {}}}) ==
        std::vector<int64_t>{1});
}
