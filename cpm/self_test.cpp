#include "cpm/self_test.h"

#include "cpm/named_batch.h"
#include "cpm/step_runner.h"
#include "engine/nn/named_fill.h"
#include "engine/optim/optimizer.h"

namespace cpm {

std::vector<double> self_test_losses(const SelfTest& test, const kernels::Exec& exec, engine::DType dtype) {
  Model model({.stages = 2, .joints = 3, .width = test.width}, dtype, engine::Place(exec));
  engine::named_fill(model.parameters(), "golden");
  engine::Optimizer adam(model.parameters(), {.kind = engine::OptimizerOptions::Kind::Adam},
                         std::vector<engine::ParameterScale>(model.parameters().all().size()));
  const BatchTensors batch = to_tensors(named_batch(2, model.joints(), 48, 48), dtype);
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
