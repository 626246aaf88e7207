// The self-test's constants are what float64 gives, and its procedure at full width is PyTorch's (the first
// losses of the golden training curve).
#include "cpm/self_test.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/io/file.h"
#include "tests/support/catch.h"

namespace {

using engine::DType;

double worst_difference(const std::vector<double>& got, const double* want) {
  double worst = 0;
  for (size_t i = 0; i < got.size(); ++i) worst = std::max(worst, std::abs(got[i] - want[i]) / want[i]);
  return worst;
}

struct Machine {
  kernels::ThreadPool threads{2};
  kernels::Exec exec;
  Machine() {
    exec.threads = &threads;
    exec.isa = kernels::best_isa();
  }
};

}  // namespace

TEST_CASE("self-test: known losses in float64 and float32") {
  Machine machine;
  const auto exact = cpm::self_test_losses({}, machine.exec, DType::F64);
  INFO(nlohmann::json(exact).dump());
  REQUIRE(exact.size() == cpm::kSelfTestLosses.size());
  CHECK(worst_difference(exact, cpm::kSelfTestLosses.data()) <= 1e-12);
  CHECK(exact[2] < 0.9 * exact[0]);  // a step that does nothing shows
  const auto single = cpm::self_test_losses({}, machine.exec, DType::F32);
  CHECK(worst_difference(single, cpm::kSelfTestLosses.data()) <= 0.2 * cpm::kSelfTestBound);
}

TEST_CASE("self-test: at full width it follows PyTorch's curve") {
  Machine machine;
  const auto file = tests::source_file("data/golden/trajectory_two_stages.json");
  const auto doc = nlohmann::json::parse(engine::read_text(file, uint64_t{1} << 24));
  const auto want = doc.at("curves").at("adam_float64").at("loss").get<std::vector<double>>();
  const auto got = cpm::self_test_losses({.width = 1, .lr = 2e-6}, machine.exec, DType::F32);
  REQUIRE(got.size() == 3);
  CHECK(worst_difference(got, want.data()) <= cpm::kSelfTestBound);
}
