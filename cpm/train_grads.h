// The records of gradients of one training run: what the configuration's [grads] asks for.
#pragma once

#include <memory>
#include <string>

#include "cpm/grad_records.h"
#include "cpm/train_events.h"
#include "cpm/train_session.h"

namespace cpm {

class TrainGrads {
 public:
  /// Tells the runner, before it measures a step, what steps will count. All must outlive this.
  TrainGrads(const Config& config, const TrainData& data, TrainNet* net, Console* console);

  /// When the runner has measured a step: opens the records in `folder` and cuts those of steps above
  /// `keep_step`. `events` is told of records to come; it must outlive this.
  void open(const std::filesystem::path& folder, int64_t keep_step, TrainEvents* events);
  /// Whether `step` is to count its gradients.
  bool wanted(int64_t step) const { return step % config_->grads.every == 0; }
  /// After every step.
  void record(int64_t step);
  /// Before a checkpoint and at the end. What cannot be written is a warning, since records are no reason to
  /// lose the weights: the next flush tries again.
  void flush();

 private:
  void try_to(const std::function<void()>& write);

  const Config* config_;
  const TrainData* data_;
  TrainNet* net_;
  Console* console_;
  std::unique_ptr<GradRecords> records_;
};

/// ", first in the gradient of NAME (3 of 400)": which is NaN or infinite; empty where none is.
std::string non_finite_gradient(const Model& model);

}  // namespace cpm
