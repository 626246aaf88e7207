// One forward pass, or one forward and backward pass, with memory known beforehand: the first call for a
// batch shape makes a dry run, reserves its peak in one block, and later calls stay inside it.
#pragma once

#include <memory>
#include <vector>

#include "cpm/dataset/loader.h"
#include "cpm/model.h"
#include "engine/runtime/arena.h"
#include "engine/tune/conv_plan.h"

namespace cpm {

/// A batch as tensors of the model's element type.
struct BatchTensors {
  engine::Tensor image, center;
  Targets targets;  // undefined tensors for inference
};

/// Takes the batch's memory where the type is float; converts for double.
BatchTensors to_tensors(Batch batch, engine::DType dtype);

struct StepResult {
  std::vector<double> stage_losses;
  double loss = 0;         // what is differentiated: the sum, or the last stage's alone
  double grad_norm = 0;    // L2 over all parameters
  int64_t non_finite = 0;  // gradient elements that are NaN or infinite
};

class StepRunner {
 public:
  StepRunner(Model& model, const kernels::Exec& exec) : model_(&model), exec_(exec) {}

  /// Dry run for this batch's shape: after it arena_bytes() and plan() are known. Called by the first step.
  void prepare(const BatchTensors& batch, bool intermediate_supervision, bool training);

  /// Losses and gradients (into the model's parameter store).
  StepResult gradients(const BatchTensors& batch, bool intermediate_supervision);

  /// Belief maps of every stage, each [n, k + 1, H/8, W/8] in C order, as float.
  std::vector<std::vector<float>> beliefs(const BatchTensors& batch);

  size_t arena_bytes() const { return arena_ ? arena_->peak_bytes() : 0; }
  engine::ConvPlan& plan() { return plan_; }
  const kernels::Exec& exec() const { return exec_; }

 private:
  std::vector<double> forward_backward(const BatchTensors& batch, bool supervised);

  Model* model_;
  kernels::Exec exec_;
  engine::ConvPlan plan_;
  std::unique_ptr<engine::Arena> arena_;
  engine::Shape prepared_;  // image shape of the reserved memory
  bool prepared_training_ = false, prepared_supervised_ = false;
};

}  // namespace cpm
