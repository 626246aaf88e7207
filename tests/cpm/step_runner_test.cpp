// What a runner refuses: steps that overlap, and steps on nothing.
#include "cpm/step_runner.h"

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
  CHECK(runner.gradients(batch, true).loss == first.loss);
}
