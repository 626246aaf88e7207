// The parts of one training run, opened in order: configuration, data, network, optimiser, run directory.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cpm/config.h"
#include "cpm/dataset/loader.h"
#include "cpm/device.h"
#include "cpm/model.h"
#include "cpm/run_dir.h"
#include "cpm/step_runner.h"
#include "cpm/trainer.h"
#include "engine/optim/optimizer.h"

namespace cpm {

/// Where lines for a person go: the terminal and, once there is one, the run's train.log.
class Console {
 public:
  explicit Console(bool to_stderr);
  void attach(RunDir* run) { run_ = run; }
  void line(const std::string& text);
  void warn(const std::string& text);
  /// Overwritten in place on a terminal; elsewhere a plain line only when `keep`.
  void progress(const std::string& text, bool keep);
  bool is_terminal() const { return terminal_; }

 private:
  std::FILE* stream_;
  bool terminal_, open_line_ = false;
  RunDir* run_ = nullptr;
};

/// Training data, and validation data where there is any.
struct TrainData {
  std::unique_ptr<Dataset> train, val;  // null for raw:
  std::unique_ptr<BatchSource> source;
  std::string description, val_description;
};

/// A CPU is given maps to read, a CUDA device the coordinates it draws them from.
TrainData open_train_data(const Config& config, const Device& device, Console* console);

/// Network, optimiser and everything the step needs.
struct TrainNet {
  Device device;
  std::unique_ptr<Model> model;
  std::unique_ptr<StepRunner> runner;
  std::unique_ptr<engine::Optimizer> optimizer;
  std::vector<Period> periods;              // of the run
  size_t step_bytes = 0;                    // activations and workspace of the largest one's step
  std::map<std::string, std::string> rows;  // convolution rows that a plan names, for step and validation
  std::string rows_origin = "by the fixed rule";  // for the header
};

TrainNet open_train_net(const Config& config, const TrainData& data, const std::string& weights,
                        Device device, Console* console);

/// The run's own configuration with what may change on resume (steps, epochs, threads, checkpoint and
/// validation intervals, the report) taken from `asked`; Usage where another key was asked to differ.
Config merge_resumed(const Config& kept, const Config& asked);

/// Usage where a step on a batch like `first` needs more memory than there is, in any period of the run; the
/// runner has measured all of them then, so its plan of rows is complete.
void check_step_memory(const Config& config, const BatchTensors& first, TrainNet* net);

/// What validation computes on.
BatchTensors validation_shapes(const Config& config);

/// Steps run by these convolution rows (problem and direction -> row), and by the fixed rule's where they say
/// nothing.
void follow_rows(std::map<std::string, std::string> rows, const std::string& origin, TrainNet* net,
                 Console* console);

/// Follows the quickest rows of a step on `first`, which the runner has measured, and of validation: timed
/// here, or before by this machine and build.
void tune_rows(const Config& config, const TrainData& data, const BatchTensors& first, TrainNet* net,
               Console* console);

/// The header: data, network, memory, plan of convolution rows.
void print_header(const Config& config, const TrainData& data, TrainNet* net, const BatchTensors& first,
                  Console* console);

/// "1.2 GiB".
std::string bytes_text(double bytes);
/// "1h02m", "3m05s", "12s".
std::string duration_text(double seconds);

}  // namespace cpm
