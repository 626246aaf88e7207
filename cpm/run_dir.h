// A run directory and its files: run.toml env.json status.json train.log metrics.csv metrics.jsonl ckpt/
// val/. Everything in it is written atomically or appended line by line and flushed, so it can be copied at
// any time.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace cpm {

/// What one row of metrics.csv / metrics.jsonl holds.
struct MetricsRow {
  int64_t step = 0;     // from 1
  double epoch = 0;     // epochs finished, with fraction
  int64_t samples = 0;  // seen so far
  double loss = 0;      // total before the update
  std::vector<double> stage_losses;
  std::vector<double> dead_plateau;  // per stage: the loss of a stage that draws no joint
  double lr = 0, grad_norm = 0, seconds = 0;
  double data_wait = 0;  // seconds waited for data since the row before
};

class RunDir {
 public:
  /// A new runs/<name>-NNN (the next free number), or exactly `out` when it is not empty. CannotWrite where
  /// it cannot be made; Usage where `out` already holds a run (hint: --resume or another --out).
  static RunDir create(const std::filesystem::path& out, const std::string& name);
  /// An existing run; BadData where there is none (no run.toml).
  static RunDir open(const std::filesystem::path& path);
  /// The newest runs/*-NNN that holds a run.toml; BadData where there is none.
  static std::filesystem::path newest(const std::filesystem::path& runs = "runs");

  const std::filesystem::path& path() const { return path_; }

  /// Starts metrics files: writes the header, or, when resuming, cuts rows of steps above `keep_step`
  /// (metrics.csv's own columns are checked against `stages`).
  void start_metrics(int stages, int64_t keep_step);
  /// Seconds in the last kept row, 0 where there is none: so `seconds` goes on over resumes. Its loss too.
  double seconds_so_far() const { return seconds_so_far_; }
  double last_loss() const { return last_loss_; }
  /// The state of status.json ("running", "finished", ...), empty where it cannot be read.
  std::string state() const;
  /// Appends one row to both files. A full disk warns on stderr once per failure; training goes on.
  void append(const MetricsRow& row);
  /// Replaces status.json: {"state", "step", "steps", "pid", "heartbeat", ...}.
  void write_status(const std::string& state, int64_t step, int64_t steps);
  /// env.json: version, compiler, instruction set, processors, memory, host OS, argv, data descriptions.
  /// Where it exists (a resumed run) the same is appended to its "resumes" instead.
  void write_env(const std::vector<std::string>& argv, const std::map<std::string, std::string>& extra);
  /// Appends a line to train.log (and nothing else).
  void log(const std::string& line);

 private:
  explicit RunDir(std::filesystem::path path) : path_(std::move(path)) {}

  std::filesystem::path path_;
  int stages_ = 0;
  double seconds_so_far_ = 0, last_loss_ = 0;
};

/// Rows of a metrics.csv (any columns), for the report: column name -> values.
std::map<std::string, std::vector<double>> read_metrics(const std::filesystem::path& csv);

}  // namespace cpm
