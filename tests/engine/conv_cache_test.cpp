// Times of convolution rows on disk: which file, what is believed, what is timed again, what only warns.
#include "engine/io/conv_cache.h"

#include <cstdlib>

#include "engine/io/file.h"
#include "tests/support/cpu_kernels.h"
#include "tests/support/temp_folder.h"

using engine::ConvCache;
using engine::ConvTimes;
using kernels::ConvProblem;
using kernels::Direction;

namespace {

using Machine = std::map<std::string, std::string>;
using Warnings = std::vector<std::string>;

const Machine kMachine = {{"processor", "one"}, {"threads", "2"}};
const ConvTimes kTimes = {{"a fprop", {{"cpu.direct", 0.125}, {"cpu.fft", std::nullopt}}},
                          {"b wgrad", {{"cpu.direct", 1e-7 / 3}}}};

ConvCache::Warn into(Warnings* warnings) {
  return [warnings](const std::string& text) { warnings->push_back(text); };
}

bool says(const Warnings& warnings, const std::string& part) {
  return warnings.size() == 1 && warnings[0].find(part) != std::string::npos;
}

/// Sets a variable of the environment (null: removes it), and puts it back.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    set(value);
  }
  ~Variable() { set(before_ ? before_->c_str() : nullptr); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  void set(const char* value) { value == nullptr ? ::unsetenv(name_) : ::setenv(name_, value, 1); }

  const char* name_;
  std::optional<std::string> before_;
};

}  // namespace

TEST_CASE("conv cache: times come back as they were, for that machine alone") {
  const tests::TempFolder folder;
  Warnings warnings;
  ConvCache cache(folder / "cpm", kMachine, into(&warnings));
  CHECK(cache.load().empty());
  cache.save(kTimes);
  CHECK(cache.load() == kTimes);
  CHECK(ConvCache(folder / "cpm", kMachine, into(&warnings)).load() == kTimes);
  for (const Machine& other :
       {Machine{{"processor", "two"}, {"threads", "2"}}, Machine{{"processor", "one"}, {"threads", "3"}}}) {
    const ConvCache another(folder / "cpm", other, into(&warnings));
    CHECK(another.file() != cache.file());
    CHECK(another.load().empty());
  }
  CHECK(warnings.empty());
}

TEST_CASE("conv cache: the machine is processor, instruction set, threads, device and build") {
  tests::Cpu two(2), three(3);
  const Machine machine = engine::tuning_machine(two.exec);
  CHECK(machine.at("device") == "cpu");
  CHECK(machine.at("threads") == "2");
  CHECK(machine.at("isa") == kernels::isa_name(two.exec.isa));
  CHECK_FALSE(machine.at("processor").empty());
  CHECK(machine.at("build").find(' ') + 17 == machine.at("build").size());
  CHECK(engine::tuning_machine(three.exec) != machine);
  two.exec.isa = two.exec.isa == kernels::Isa::Portable ? kernels::Isa::Avx2 : kernels::Isa::Portable;
  CHECK(engine::tuning_machine(two.exec) != machine);
}

TEST_CASE("conv cache: a file that is damaged or foreign is left out with a warning, and replaced") {
  const tests::TempFolder folder;
  const std::string machine = R"("machine": {"processor": "one", "threads": "2"})";
  const std::string format = R"("format": "cpm convolution times 1")";
  const std::vector<std::array<std::string, 2>> files = {
      {"", "damaged"},
      {"{\"format\": \"cpm conv", "damaged"},
      {"[1, 2]", "damaged"},
      {"{" + machine + R"(, "seconds": {}})", "damaged"},
      {"{" + format + ", " + machine + "}", "damaged"},
      {"{" + format + ", " + machine + R"(, "seconds": {"a fprop": 3}})", "damaged"},
      {"{" + format + ", " + machine + R"(, "seconds": {"a fprop": {"cpu.direct": "x"}}})", "damaged"},
      {R"({"format": "cpm convolution times 2", "seconds": {}})", "of another format"},
      {"{" + format + R"(, "machine": {"processor": "two", "threads": "2"}, "seconds": {}})",
       "of another machine or build"}};
  for (const auto& [text, reason] : files) {
    CAPTURE(text);
    Warnings warnings;
    ConvCache cache(folder.path(), kMachine, into(&warnings));
    engine::write_text(cache.file(), text);
    CHECK(cache.load().empty());
    CHECK(says(warnings, cache.file().string() + " is left out, and what it holds timed anew: " + reason));
    cache.save(kTimes);
    CHECK(cache.load() == kTimes);
    CHECK(warnings.size() == 1);
  }
}

TEST_CASE("conv cache: where it cannot be kept, one warning and no error") {
  const tests::TempFolder folder;
  engine::write_text(folder / "file", "");
  Warnings warnings;
  ConvCache cache(folder / "file", kMachine, into(&warnings));
  CHECK(cache.load().empty());
  cache.save(kTimes);
  cache.save(kTimes);
  CHECK(says(warnings, "times of convolution rows are not kept: "));
  warnings.clear();
  ConvCache nowhere("", kMachine, into(&warnings));
  CHECK(nowhere.load().empty());
  nowhere.save(kTimes);
  CHECK(says(warnings, "neither XDG_CACHE_HOME nor HOME is set"));
}

TEST_CASE("conv cache: its folder") {
  const Variable user("HOME", "/people/one");
  {
    const Variable cache("XDG_CACHE_HOME", "/elsewhere");
    CHECK(engine::cache_folder() == "/elsewhere/cpm");
  }
  {
    const Variable cache("XDG_CACHE_HOME", "relative");  // to be ignored, says the specification
    CHECK(engine::cache_folder() == "/people/one/.cache/cpm");
  }
  const Variable cache("XDG_CACHE_HOME", nullptr);
  CHECK(engine::cache_folder() == "/people/one/.cache/cpm");
  const Variable nobody("HOME", nullptr);
  CHECK(engine::cache_folder().empty());
}

TEST_CASE("conv cache: what it holds is not timed again, by this number of threads") {
  const tests::TempFolder folder;
  const std::vector<engine::PlannedConv> lines = {
      {"conv1", ConvProblem{.C = 3, .H = 9, .W = 8, .K = 4, .R = 3, .S = 3}, Direction::Fprop, ""}};
  const std::string key = engine::ConvPlan::key(lines[0].problem, lines[0].direction);
  tests::Cpu two(2), three(3);
  int timed = 0;
  Warnings warnings;
  const auto tune = [&](const tests::Cpu& cpu) {
    engine::ConvTuning tuning;
    tuning.time = [&](const auto&...) {
      ++timed;
      return engine::ConvRowTimes{{"cpu.direct", 2}, {"cpu.fft", 1}};
    };
    return engine::tune_with_cache(cpu.exec, lines, tuning, folder.path(), into(&warnings));
  };
  const std::map<std::string, std::string> plan = {{key, "cpu.fft"}};
  for (int i = 0; i < 2; ++i) CHECK(tune(two) == plan);
  CHECK(timed == 1);
  for (int i = 0; i < 2; ++i) CHECK(tune(three) == plan);
  CHECK(timed == 2);
  CHECK(warnings.empty());
  engine::write_text(ConvCache(folder.path(), engine::tuning_machine(two.exec), nullptr).file(), "{");
  for (int i = 0; i < 2; ++i) CHECK(tune(two) == plan);
  CHECK(timed == 3);
  CHECK(says(warnings, "damaged"));
}
