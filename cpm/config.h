// The resolved configuration of a training run: defaults, then --config FILE.toml, then --set a.b=v, then
// flags. One table of keys (config.cpp) serves reading, printing, nearest-match errors and documentation.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "cpm/stages.h"

namespace cpm {

struct ModelConfig {
  int64_t stages = 6;             // 1-6
  double width = 1;               // multiplies every inner channel count
  std::string pooling = "torch";  // "torch" | "caffe"
  std::string init = "he";  // "he" (He et al. 2015, fan-in, normal) | "gaussian" (std 0.01, the release's)

  bool operator==(const ModelConfig&) const = default;
};

struct DataConfig {
  std::string train, val;                  // SPECs; val may be empty
  int64_t input = 368;                     // side in pixels, a multiple of 8
  double flip = 0.5;                       // probability
  std::string supervise_missing = "zero";  // "zero" | "mask"
  int64_t loader_threads = 1;
};

struct OptimConfig {
  std::string name = "adam";  // "adam" | "sgd"
  double lr = 1e-4, momentum = 0.9, weight_decay = 0;
  bool decay_bias = false;
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  std::string schedule = "constant";  // "constant" | "step" | "cosine"
  int64_t step_every = 136106;        // schedule "step": lr *= step_gamma each step_every steps
  double step_gamma = 0.333;
  int64_t warmup = 0;                                                     // steps of linear warm-up
  std::array<double, kMaxStages> weight_multiplier = {1, 1, 1, 1, 1, 1};  // learning rate by stage, weights
  std::array<double, kMaxStages> bias_multiplier = {1, 1, 1, 1, 1, 1};    // learning rate by stage, biases
};

/// What is differentiated and what learns (cpm/supervision.h). Without train.intermediate_supervision the
/// weights of all stages but the last are 0, whatever is written here.
struct SupervisionConfig {
  std::array<double, kMaxStages> weights = {1, 1, 1, 1, 1, 1};  // of the loss, by stage
  std::vector<int64_t> frozen;                                  // stages, from 1
  std::string schedule = "joint";                               // "joint" | "stagewise"
  std::vector<int64_t> stage_steps;  // stagewise: steps of each stage; empty: equal shares
};

struct TrainConfig {
  std::string name = "cpm";  // run directories are runs/<name>-NNN
  int64_t steps = 0;         // 0: by epochs
  double epochs = 0;         // 0 and steps 0: 10 epochs
  int64_t batch = 16;
  int64_t seed = 0;
  int64_t threads = 0;           // 0: all processors
  int64_t checkpoint_every = 0;  // steps; 0: only at the end and when interrupted
  int64_t keep_checkpoints = 3;
  int64_t val_every = 0;     // steps; 0: at the end only
  int64_t events_every = 0;  // steps; 0: each to step 10000, then every tenth
  bool intermediate_supervision = true;
  bool deterministic = true;    // our own kernels always are; libraries' only where asked
  bool cuda_graph = true;       // record the step once, replay it
  std::string device = "auto";  // "auto" | "cpu" | "cuda" | "cuda:N"
  std::string precision = "fp32";
};

/// Histograms of gradients, in the run's folder grads/ (docs/research.md).
struct GradsConfig {
  int64_t every = 0;                // steps; 0: none
  std::string accumulate = "step";  // "step" | "epoch"
  bool activations = false;         // those of each convolution's output too
  int64_t linear_bins = 0;  // an even number of equal bins over [-linear_range, linear_range); 0: none
  double linear_range = 0.01;
};

/// What report.html shows.
struct ReportConfig {
  int64_t image = 0;  // whose belief maps: a person of the validation data, from 1; 0: the typical one
  int64_t worst = 8;  // people found worst
};

struct Config {
  ModelConfig model;
  DataConfig data;
  OptimConfig optim;
  SupervisionConfig supervision;
  TrainConfig train;
  GradsConfig grads;
  ReportConfig report;

  /// Reads a TOML file over the present values. BadData: syntax (line and column); Usage: unknown key
  /// (nearest match), wrong type, value out of range.
  void load(const std::filesystem::path& file);
  /// The same from memory; `name` stands for the path in errors.
  void parse(const std::string& text, const std::string& name);
  /// Applies one "a.b=value" (value in TOML syntax; a bare word is taken as a string). Usage errors as above.
  void set(const std::string& assignment);
  /// All keys in TOML, each with its comment: what --print-config prints and run.toml holds. load() reads it
  /// back to an equal configuration.
  std::string to_toml() const;
  /// The same values as one JSON object, an object a section, on one line.
  std::string to_json() const;
  /// Checks ranges and the combinations that no single key shows (steps or epochs, input a multiple of 8...).
  void validate() const;
};

/// One key for documentation and completion.
struct ConfigKey {
  std::string key, type, default_value, help;
  std::vector<std::string> choices;  // of a string or a boolean; empty where there are others
};
std::vector<ConfigKey> config_keys();

}  // namespace cpm
