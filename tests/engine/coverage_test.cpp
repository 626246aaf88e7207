// Nothing is added half: every operation of ops.h has a gradient check, every folder of kernels its list,
// a CPU kernel and a test.
#include <algorithm>
#include <filesystem>
#include <regex>
#include <set>
#include <string>

#include "engine/io/file.h"
#include "tests/support/catch.h"

namespace fs = std::filesystem;

namespace {

std::string text_of(const std::string& file) {
  return engine::read_text(tests::source_file(file), uint64_t{1} << 20);
}

/// First groups of all matches.
std::set<std::string> matches(const std::string& text, const std::string& pattern) {
  const std::regex expression(pattern);
  std::set<std::string> found;
  for (std::sregex_iterator at(text.begin(), text.end(), expression), end; at != end; ++at) {
    found.insert((*at)[1]);
  }
  return found;
}

/// A file in `folder` whose whole name matches.
bool has_file(const fs::path& folder, const std::string& pattern) {
  const std::regex expression(pattern);
  return std::any_of(fs::directory_iterator(folder), fs::directory_iterator(), [&](const auto& entry) {
    return std::regex_match(entry.path().filename().string(), expression);
  });
}

}  // namespace

TEST_CASE("coverage: every operation of ops.h has a gradient check and a file") {
  // A declaration starts a line; its name may be followed by arguments over several lines.
  const std::set<std::string> ops = matches(text_of("engine/ops/ops.h"), R"(\nVariable (\w+)\()");
  const std::set<std::string> checks =
      matches(text_of("tests/engine/gradcheck_test.cpp"), R"re(TEST_CASE\("gradcheck: (\w+)"\))re");
  REQUIRE(ops.size() >= 6);
  for (const std::string& op : ops) {
    INFO("operation " << op << ": no TEST_CASE(\"gradcheck: " << op
                      << "\") in tests/engine/gradcheck_test.cpp");
    CHECK(checks.count(op) == 1);
  }
  for (const std::string& check : checks) {
    INFO("gradcheck: " << check << " names no operation of engine/ops/ops.h");
    CHECK(ops.count(check) == 1);
  }
}

TEST_CASE("coverage: every kernel folder has a CPU kernel, a table and a test") {
  int folders = 0;
  for (const auto& entry : fs::directory_iterator(tests::source_file("kernels"))) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_directory() || name == "base") continue;
    ++folders;
    INFO("kernels/" << name);
    CHECK(has_file(entry.path(), "cpu.*\\.cpp"));
    CHECK(has_file(entry.path(), "table\\.cpp"));
    CHECK(has_file(entry.path(), name + "\\.h"));
    CHECK(has_file(tests::source_file("tests/kernels"), name + ".*_test\\.cpp"));
  }
  CHECK(folders >= 9);
}
