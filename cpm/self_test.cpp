#include "cpm/self_test.h"

#include "cpm/step_runner.h"
#include "engine/nn/named_fill.h"
#include "engine/optim/optimizer.h"

namespace cpm {

namespace {

Batch named_batch(int joints) {
  Batch batch;
  batch.n = 2;
  batch.joints = joints;
  batch.height = batch.width = 48;
  const int64_t pixels = int64_t{batch.n} * batch.height * batch.width;
  batch.image = engine::named_fill("golden/image", 3 * pixels, -0.5, 0.5);
  batch.center = engine::named_fill("golden/center", pixels, 0, 1);
  batch.target_rest = engine::named_fill("golden/target", pixels / 64 * (joints + 1), 0, 1);
  batch.target_stage1 = batch.target_rest;
  return batch;
}

}  // namespace

std::vector<double> self_test_losses(const SelfTest& test, const kernels::Exec& exec, engine::DType dtype) {
  Model model({.stages = 2, .joints = 3, .width = test.width}, dtype, engine::Place(exec));
  engine::named_fill(model.parameters(), "golden");
  engine::Optimizer adam(model.parameters(), {.kind = engine::OptimizerOptions::Kind::Adam},
                         std::vector<engine::ParameterScale>(model.parameters().all().size()));
  const BatchTensors batch = to_tensors(named_batch(model.joints()), dtype);
  StepRunner runner(model, exec);
  std::vector<double> losses;
  for (int step = 0; step < test.steps; ++step) {
    runner.upload(batch);
    runner.launch({.optimizer = &adam, .lr = test.lr});
    losses.push_back(runner.wait().loss);
  }
  return losses;
}

}  // namespace cpm
