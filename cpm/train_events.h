// The event file of a training run, for TensorBoard (docs/training.md): the scalars of metrics.csv,
// histograms of gradients, validation's scores and pictures.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cpm/grad_row.h"
#include "cpm/run_dir.h"
#include "cpm/score.h"
#include "engine/io/event_file.h"

namespace cpm {

/// Where a run goes on from: with the step after `step`.
struct EventStart {
  int64_t step = 0, samples = 0;
  double seconds = 0;
  bool resumed = false;
};

class TrainEvents {
 public:
  /// A new file of `run`, written from the first record on. Rows of metrics are told each `every` steps, 0:
  /// as wanted() says. What cannot be written is a warning, one until it can be written again.
  TrainEvents(const std::filesystem::path& run, const EventStart& start, int64_t every,
              std::function<void(const std::string&)> warn);

  /// The figures of a row of metrics, after rounding as in metrics.csv; after every step.
  void metrics(const MetricsRow& row);
  /// Histograms of log10 |g| of record number `record`, and what they do not hold.
  void gradients(int64_t record, int64_t step, const std::vector<GradTensor>& tensors,
                 const std::vector<GradRow>& rows);
  /// `picture` names a PNG file; there need not be one.
  void validation(int64_t step, const JointSchema& schema, const Score& result,
                  const std::filesystem::path& picture);

  /// All of the first `dense`, then every tenth: long runs do not drown who looks.
  static bool wanted(int64_t number, int64_t dense) { return number <= dense || number % 10 == 0; }

 private:
  void write(int64_t step, const engine::EventSummary& summary);

  engine::EventFile file_;
  int64_t every_;
  std::function<void(const std::string&)> warn_;
  double samples_, seconds_;  // of the row that was told last
  bool failing_ = false;
};

}  // namespace cpm
