// One forward pass, or one training step, with memory known beforehand: the first call for a batch shape
// makes a dry run, reserves its peak in one block, and later calls stay inside it. On a device the step is
// recorded as a graph and replayed; its results are read when it is over.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cpm/dataset/loader.h"
#include "cpm/grad_collector.h"
#include "cpm/step_input.h"
#include "engine/optim/optimizer.h"
#include "engine/runtime/arena.h"
#include "engine/tune/conv_plan.h"

namespace cpm {

/// Takes the batch's memory where the type is float; converts for double.
BatchTensors to_tensors(Batch batch, engine::DType dtype);

struct StepResult {
  std::vector<double> stage_losses;  // without weights; NaN of stages behind the last one with a weight
  double loss = 0;                   // what is differentiated: their weighted sum
  double grad_norm = 0;              // L2 over all parameters
  int64_t non_finite = 0;            // gradient elements that are NaN or infinite
  /// Where the device drew the maps: what stage 1 and every other stage would lose that drew the background
  /// but no joint.
  std::vector<double> plateau;
};

/// What launch() makes of a step: gradients, or with an optimiser an update too.
struct StepKind {
  Supervision supervision;
  engine::Optimizer* optimizer = nullptr;
  double lr = 0;
  bool collect = false;  // counts gradients too; StepRunner::collect() was called
};

class StepRunner {
 public:
  /// With `record`, devices that can record a step do so at its second run and replay it from then on.
  StepRunner(Model& model, const kernels::Exec& exec, bool record = true);
  ~StepRunner();

  /// Rows that steps from now on are to follow (ConvPlan::follow); the next one makes a dry run again.
  void follow(std::map<std::string, std::string> rows, std::function<void(const std::string&)> warn);
  /// From now on steps may count gradients (StepKind::collect); the next one makes a dry run again.
  void collect(const GradOptions& options);
  /// Tensors that are counted, known after a dry run.
  std::vector<GradTensor> collected_tensors() const { return collector_->tensors(); }
  /// Their counts in the step that was waited for, which asked for them.
  std::vector<GradCounts> collected() const { return collector_->counts(); }

  /// Dry run for this batch's shape: after it arena_bytes() and plan() are known, but no memory is taken yet.
  void measure(const BatchTensors& batch, const Supervision& supervision, bool training);
  /// measure(), and takes the memory. Called by the first step.
  void prepare(const BatchTensors& batch, const Supervision& supervision, bool training);

  /// A step in three parts, so that the next batch is made and uploaded while a device computes: upload()
  /// the input, launch() the step on what was uploaded last, wait() for its result. Every launch() is waited
  /// for before the next one and before beliefs(): both write what the step under way reads.
  void upload(const BatchTensors& batch);
  void launch(const StepKind& kind);
  StepResult wait();

  /// Losses and gradients (into the model's parameter store): all three parts.
  StepResult gradients(const BatchTensors& batch, const Supervision& supervision = {});

  /// Belief maps of every stage, each [n, k + 1, H/8, W/8] in C order, as float.
  std::vector<std::vector<float>> beliefs(const BatchTensors& batch);

  size_t arena_bytes() const { return arena_ ? arena_->peak_bytes() : 0; }
  /// The rows that dry runs chose.
  const engine::ConvPlan& plan() const { return plan_; }
  const kernels::Exec& exec() const { return exec_; }
  /// Steps that were replayed from a recording so far.
  int64_t replays() const { return replays_; }

 private:
  struct Results;
  /// What a dry run was made for.
  struct Prepared {
    engine::Shape image;
    Supervision supervision;  // reduced
    bool training = false;
    bool plateau = false;  // the targets are drawn on the device, which also computes StepResult::plateau

    bool operator==(const Prepared&) const = default;
  };

  void forward_backward(const BatchTensors& batch, const Supervision& supervision, bool collect);
  void count_all(engine::Context& context);
  void update();
  void plateau(engine::Context& context, const BatchTensors& batch);
  void compute(const BatchTensors& batch);
  void run_or_replay(const BatchTensors& batch);
  void forget_recording();

  Model* model_;
  kernels::Exec exec_;
  kernels::DeviceRuntime* runtime_;
  bool record_;
  engine::ConvPlan plan_;
  std::unique_ptr<engine::Arena> arena_;
  std::unique_ptr<GradCollector> collector_;
  StepInput input_;
  std::optional<Prepared> prepared_;     // none while the arena is not measured
  std::shared_ptr<Results> results_;     // host memory that the device writes
  engine::Tensor stats_;                 // kernels::ArrayStats, where the step computes
  std::shared_ptr<void> host_segments_;  // the optimiser's, written before each launch ...
  engine::Tensor segments_;              // ... and copied here by the step
  engine::Tensor update_workspace_;      // of its updates in steps that count gradients
  engine::Tensor joint_maps_;            // [n, k + 1]: 1 for joints, 0 for the background
  bool under_way_ = false;               // launched, not waited for
  StepKind kind_;                        // of that step, or of the last one
  bool drawn_here_ = false;              // its maps were drawn by the device
  int64_t generation_ = 0;               // of the input that was recorded
  int64_t optimizer_id_ = 0;             // whose segments are here, and whose launch is recorded; 0: none
  /// Of steps that count gradients ([1]) and of those that do not.
  std::array<void*, 2> recordings_ = {};
  std::array<int64_t, 2> runs_ = {};  // since the last change of shapes or optimiser
  int64_t replays_ = 0;               // ever
};

}  // namespace cpm
