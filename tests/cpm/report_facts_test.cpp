// What the report works out of a run's files: its speed, its environment.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "cpm/report/speed.h"
#include "cpm/report_environment.h"
#include "tests/support/catch.h"

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

}  // namespace

TEST_CASE("speed is that of the middle step, so pauses do not count, waiting is a share of all the time") {
  std::map<std::string, std::vector<double>> metrics;
  double clock = 0;
  for (int step = 1; step <= 240; ++step) {
    clock += step == 100 ? 50 : 0.5;  // a validation
    metrics["step"].push_back(step);
    metrics["samples"].push_back(8 * step);
    metrics["seconds"].push_back(clock);
    metrics["data_wait"].push_back(step <= 120 ? 0 : 0.25);
  }
  const cpm::Speed speed = cpm::speed_of(metrics);
  CHECK(speed.images == 16);
  REQUIRE(speed.images_per_second.size() == 80);
  CHECK(*std::min_element(speed.images_per_second.y.begin(), speed.images_per_second.y.end()) == 16);
  CHECK(speed.images_per_second.x.front() == 3);
  CHECK(speed.images_per_second.x.back() == 240);
  CHECK(speed.wait_share.y.front() == 0);
  CHECK(speed.wait_share.y.back() == 0.5);
  CHECK(std::abs(speed.wait - 120 * 0.25 / clock) < 1e-12);

  metrics["data_wait"].assign(240, kNan);
  CHECK(cpm::speed_of(metrics).wait_share.empty());
  CHECK(cpm::speed_of(metrics).images == 16);
  metrics.erase("seconds");
  CHECK(cpm::speed_of(metrics).images_per_second.empty());
  CHECK(cpm::speed_of({}).images == 0);
}

TEST_CASE("env.json is told in words, commands as a shell reads them") {
  const auto rows = cpm::environment_rows(nlohmann::ordered_json::parse(
      R"({"version": "0.1", "compiler": "gcc 1", "build_type": "Release", "isa": "avx2", "processors": 2,
          "memory_bytes": 2147483648, "os": {"name": "Linux", "release": "6"}, "time": "2026-01-02T03:04:05Z",
          "argv": ["cpm-train", "--out", "a b", "it's"], "extra": {"data": "d", "val": "", "device": "cpu"},
          "new": {"a": 1}, "resumes": [{"time": "later", "argv": ["cpm-train", "--resume"]}]})"));
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"Command", "cpm-train --out 'a b' 'it'\\''s'"},
      {"Program", "0.1, Release build, gcc 1"},
      {"Processor", "2 threads, avx2"},
      {"Memory", "2.00 GiB"},
      {"System", "Linux 6"},
      {"Started", "2026-01-02T03:04:05Z"},
      {"new", "{\"a\":1}"},
      {"Data", "d"},
      {"Device", "cpu"},
      {"Resumed", "later: cpm-train --resume"}};
  CHECK(rows == expected);
  CHECK(cpm::environment_rows(nlohmann::ordered_json::object()).empty());
}
