// The training loop: batches from a loader, gradients from a StepRunner, updates from an optimiser; metrics,
// checkpoints, validation and the report go to a run directory. Resuming is bit-exact.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cpm/config.h"
#include "cpm/score.h"

namespace cpm {

struct TrainRequest {
  Config config;
  std::filesystem::path out;  // "" : runs/<name>-NNN
  std::optional<std::filesystem::path>
      resume;                     // engaged: resume this run directory ("": `out`, or the newest run)
  std::filesystem::path weights;  // "" : initialise; else start from these
  std::vector<std::string> argv;  // for env.json
  bool tune = false;              // a new run's convolution rows are chosen by the clock
  bool quiet_stdout = false;      // progress to stderr (--json)
};

struct TrainOutcome {
  std::filesystem::path run;
  int64_t steps = 0;   // made in all
  double loss = 0;     // of the last step
  double seconds = 0;  // since the start, over resumes
  bool interrupted = false;
  std::optional<Score> validation;  // the last one
  JointSchema schema;               // of its joints
  std::optional<double> mean_pose;  // PCK@0.2 of always answering the mean pose
};

/// Trains. Throws kernels::Error; CheckFailed when a loss or gradient is not finite (no checkpoint is made of
/// that step).
TrainOutcome train(const TrainRequest& request);

}  // namespace cpm
