// SGD with momentum and Adam over a ParameterStore, PyTorch's formulas (kernels/optim/optim.h), with a
// learning-rate multiplier and weight-decay switch per parameter (the release trains stage 1 with 5x, biases
// with 2x).
#pragma once

#include <string>
#include <vector>

#include "engine/nn/parameters.h"
#include "kernels/base/exec.h"

namespace engine {

struct OptimizerOptions {
  enum class Kind { Sgd, Adam } kind = Kind::Adam;
  double momentum = 0.9;
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double weight_decay = 0;
};

/// What a parameter's update is scaled by.
struct ParameterScale {
  double lr = 1, decay = 1;
};

class Optimizer {
 public:
  /// One scale per parameter, in the store's order. The store must outlive the optimiser.
  Optimizer(ParameterStore& store, const OptimizerOptions& options, std::vector<ParameterScale> scales);

  /// One update of every parameter from its gradient.
  void step(const kernels::Exec& exec, double lr);

  /// Updates made so far.
  int64_t steps() const { return steps_; }
  void set_steps(int64_t steps) { steps_ = steps; }
  /// State buffers by name ("momentum", or "adam_m" and "adam_v"), flat as the store's: for checkpoints.
  std::vector<std::pair<std::string, Tensor>> state() const;
  size_t state_bytes() const;

 private:
  ParameterStore* store_;
  OptimizerOptions options_;
  std::vector<ParameterScale> scales_;
  int64_t steps_ = 0;
  Tensor first_, second_;  // momentum or m; v (Adam)
};

}  // namespace engine
