// What a runner refuses: steps that overlap, and steps on nothing; and the convolution rows that it follows.
#include "cpm/step_runner.h"

#include <cmath>

#include "kernels/base/error.h"
#include "tests/cpm/network_support.h"
#include "tests/support/cpu_kernels.h"

TEST_CASE("step runner: a step is waited for before the next one, and made of what was uploaded") {
  cpm::Model model = tests::small_model({.stages = 2, .joints = 4, .width = 0.05}, engine::DType::F32);
  const auto batch = tests::small_batch({.n = 1, .joints = 4, .height = 16, .width = 16}, engine::DType::F32);
  tests::Cpu cpu;
  cpm::StepRunner runner(model, cpu.exec);
  CHECK_THROWS_AS(runner.launch({}), kernels::Error);  // nothing was uploaded
  CHECK_THROWS_AS(runner.wait(), kernels::Error);
  runner.upload(batch);
  runner.launch({});
  CHECK_THROWS_AS(runner.launch({}), kernels::Error);
  CHECK_THROWS_AS(runner.beliefs(batch), kernels::Error);
  const auto first = runner.wait();
  CHECK_THROWS_AS(runner.wait(), kernels::Error);
  runner.launch({});  // on the same batch again
  CHECK(runner.wait().stage_losses == first.stage_losses);
  CHECK(runner.gradients(batch).loss == first.loss);
}

TEST_CASE("step runner: rows to follow hold from the next step on, also after steps by others") {
  cpm::Model model = tests::small_model({.stages = 2, .joints = 4, .width = 0.05}, engine::DType::F32);
  const auto batch = tests::small_batch({.n = 1, .joints = 4, .height = 16, .width = 16}, engine::DType::F32);
  tests::Cpu cpu;
  cpm::StepRunner runner(model, cpu.exec);
  const auto ruled = runner.gradients(batch);
  const auto by_rule = runner.plan().chosen();
  std::map<std::string, std::string> rows;
  for (const auto& [key, row] : by_rule) rows[key] = "cpu.reference";
  rows.erase(rows.begin());  // there the rule decides
  runner.follow(rows, [](const std::string& text) { FAIL(text); });
  const auto followed = runner.gradients(batch);
  rows.insert(*by_rule.begin());
  CHECK(runner.plan().chosen() == rows);
  CHECK(std::fabs(followed.loss / ruled.loss - 1) < 1e-5);
  runner.follow({}, nullptr);
  CHECK(runner.gradients(batch).loss == ruled.loss);
  CHECK(runner.plan().chosen() == by_rule);
  runner.upload(batch);
  runner.launch({});
  CHECK_THROWS_AS(runner.follow({}, nullptr), kernels::Error);
  runner.wait();
}
