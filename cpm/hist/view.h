// Everything the pictures and tables of cpm-hist show, of one run or of two on shared axes: gathered once,
// drawn in several sizes.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cpm/hist/choice.h"
#include "cpm/hist/records.h"

namespace cpm {

struct HistOptions {
  std::string kind = "weight";  // of kGradKinds
  std::string tensors = "*";    // glob over names of tensors and of layers
  std::vector<int64_t> epochs;  // rows of the grid; empty: the first three, or thirds of a shorter run
  std::optional<double> range;  // of the grid's signed axis
};

inline constexpr double kQuantiles[] = {0.05, 0.25, 0.5, 0.75, 0.95};

/// One record of one tensor; quantiles of |g| over the finite elements that are not zero.
struct RecordSummary {
  double quantiles[std::size(kQuantiles)] = {};  // kQuantiles
  double zero_share = 0;
  uint64_t non_finite = 0;
  RecordedStats stats;
};

struct HistTensor {
  GradTensor tensor;
  std::vector<RecordSummary> records;  // HistRun::steps
  HistCounts all;                      // sums of the records in the run,
  std::vector<HistCounts> slices;      // in each of HistView::slices,
  std::vector<HistCounts> rows;        // and in each of HistRun::rows
  std::vector<double> medians;  // of HistView::columns; where no record lies, that of the column before
};

struct HistRun {
  std::string label;  // what tells the runs apart
  std::filesystem::path path;
  RecordedMeta meta;
  std::vector<int64_t> steps;
  std::vector<StepSpan> rows;       // of the grid
  std::vector<HistTensor> tensors;  // the same, in the same order, in every run
};

struct HistView {
  HistOptions options;
  std::vector<HistRun> runs;                // one or two
  std::vector<std::string> left_out;        // tensors that only one run has
  StepSpan steps;                           // of all records
  std::vector<StepSpan> slices, columns;    // `steps` cut for the ridgelines and for the map
  std::vector<std::string> row_names;       // "epoch 1", "steps 1-40"
  std::vector<std::vector<size_t>> blocks;  // of the grid, into HistRun::tensors
  LogRange magnitudes, medians;     // axis of the ridgelines, colours of the map: fixed in all the data
  kernels::LinearBins signed_axis;  // of the grid
  bool recorded_linear = false;     // the grid shows recorded linear bins, not spread logarithmic ones
};

/// Reads one run, or two to be compared (what both have; their other tensors are named in left_out). BadData
/// where nothing is left of what was asked for.
HistView gather(const std::vector<std::filesystem::path>& runs, const HistOptions& options);

/// Shares of a tensor's elements in the bins of view.signed_axis, over HistRun::rows[row].
std::vector<double> grid_shares(const HistView& view, const HistTensor& tensor, size_t row);

}  // namespace cpm
