// The folder grads/ of a run (docs/research.md): meta.json, part-NNNNNN.npz with some hundred records each,
// and quantiles.csv. Everything in it depends on the records alone: a run that was interrupted and resumed
// leaves the same bytes. Counts are integers, so they add exactly, over steps and over runs on parts of a
// batch.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "cpm/grad_row.h"

namespace cpm {

/// What is recorded, and when.
struct GradPlan {
  bool epochs = false;              // counts add up over an epoch, which gives one record
  int64_t every = 1;                // steps from one that counts to the next, for meta.json
  kernels::LinearBins linear;       // bins 0: none
  int64_t batch = 1, samples = 1;   // in a step, in an epoch
  std::string run;                  // its name, for meta.json
  bool supervised = true;           // every stage has a loss
  std::vector<GradTensor> tensors;  // in the order of GradCollector::counts

  /// Whether `step` is the first to reach or pass a multiple of an epoch's samples.
  bool ends_epoch(int64_t step) const { return step * batch / samples > (step - 1) * batch / samples; }
};

class GradRecords {
 public:
  /// Writes meta.json into `folder`, made if need be, and cuts what tells of steps above `keep_step`. `warn`
  /// hears what is missing. BadData where a file is damaged.
  GradRecords(std::filesystem::path folder, GradPlan plan, int64_t keep_step,
              const std::function<void(const std::string&)>& warn);

  /// Hears of every record that is completed: its number, from 1, its step, and a row a tensor.
  using Listener = std::function<void(int64_t, int64_t, const std::vector<GradRow>&)>;
  void listen(Listener listener) { listener_ = std::move(listener); }

  /// After every step, in order; `counts` is empty for steps that did not count. CannotWrite or IoError where
  /// a full part cannot be written; nothing is lost, a later call tries again.
  void add(int64_t step, const std::vector<GradCounts>& counts);
  /// Before the checkpoint of `step` is written, and at the end: what was recorded reaches the files. Errors
  /// as above. Of epochs under way, those of the newest `keep` flushes are kept.
  void flush(int64_t step, int64_t keep);

 private:
  /// The arrays of a file: a row a record, by tensor.
  struct Part {
    std::vector<int64_t> steps;
    std::vector<std::vector<uint64_t>> counts, special, linear;
    std::vector<std::vector<double>> stats;
  };

  std::filesystem::path part_path(int64_t number) const;
  std::filesystem::path open_path(int64_t step) const;
  size_t counters() const;  // linear ones, 0 where there are none
  void write_meta() const;
  GradRow empty_row() const;
  Part empty_part() const;
  void append(int64_t step);
  void write_part();
  Part read_part(const std::filesystem::path& path) const;
  bool shorten(Part* part, int64_t keep_step) const;
  void cut(int64_t keep_step);
  void read_open(int64_t step, const std::function<void(const std::string&)>& warn);
  void write_open(int64_t step, int64_t keep) const;
  std::string quantile_rows(const Part& part, size_t record) const;

  std::filesystem::path folder_;
  GradPlan plan_;
  std::vector<GradRow> rows_;  // of the record under way
  Part part_;                  // of the file under way, ...
  int64_t number_ = 1;         // ... its number, from 1, ...
  size_t written_ = 0;         // ... and how many of its records are there
  std::string quantiles_;      // rows that are to be appended to the file
  Listener listener_;
};

}  // namespace cpm
