// SGD with momentum and Adam over a ParameterStore, PyTorch's formulas (kernels/optim/optim.h), with a
// learning-rate multiplier and weight-decay switch per parameter (the release trains stage 1 with 5x, biases
// with 2x).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "engine/nn/parameters.h"
#include "kernels/base/exec.h"
#include "kernels/optim/optim.h"

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

  /// From now on only parameters whose flag is true learn (in the store's order; at first all do): the
  /// others keep weights and state, bit for bit. Step 1 of the formulas is the first after `since` steps in
  /// all, for parameters whose state is new then.
  void learn(std::vector<bool> learning, int64_t since);

  /// One update of every parameter that learns from its gradient, on the CPU: prepare and launch.
  void step(const kernels::Exec& exec, double lr);

  /// The two halves of a step, for devices: prepare() counts the step and writes what it does to each
  /// parameter to host memory (`segments_bytes()` of it, 16-byte aligned); launch() updates the parameters by
  /// those bytes, by then in memory of exec's backend. A launch reads nothing else that changes from step to
  /// step, so a copy and a launch that were recorded once serve every step.
  size_t segments_bytes() const;
  void prepare(double lr, void* segments);
  /// `sums`, in memory of exec's backend, one for each parameter or null, gets what the update does to the
  /// weights; exec has workspace_bytes() of workspace then.
  void launch(const kernels::Exec& exec, const void* segments, kernels::UpdateSums* sums = nullptr) const;
  size_t workspace_bytes(kernels::Backend backend) const;

  /// Updates made so far.
  int64_t steps() const { return steps_; }
  void set_steps(int64_t steps) { steps_ = steps; }
  /// State buffers by name ("momentum", or "adam_m" and "adam_v"), flat as the store's: for checkpoints.
  std::vector<std::pair<std::string, Tensor>> state() const;
  size_t state_bytes() const;
  /// No other optimiser of this process has or had it, but copies: for who keeps a recorded launch, as an
  /// address may be used again.
  int64_t id() const { return id_; }

 private:
  ParameterStore* store_;
  int64_t id_;
  OptimizerOptions options_;
  std::vector<ParameterScale> scales_;
  std::vector<bool> learning_;  // one flag a parameter
  int64_t steps_ = 0, since_ = 0;
  Tensor first_, second_;            // momentum or m; v (Adam)
  std::vector<std::byte> segments_;  // of step()
};

}  // namespace engine
