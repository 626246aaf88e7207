// What bench_conv measures: its flags, resolved into shapes, directions and rows.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/tune/conv_bench.h"
#include "engine/tune/conv_shape.h"
#include "kernels/conv2d/conv2d.h"
#include "tools/cli_table.h"

namespace tools {

struct BenchFlags {
  std::string shapes = "data/shapes/cpm.txt", device = "auto", direction = "fprop,dgrad,wgrad";
  std::optional<std::string> batch, algo, reference, json, csv;
  std::vector<std::string> shape;
  std::optional<int64_t> samples, threads;
  std::optional<double> seconds;
  bool markdown = false, check = false, no_deterministic = false, on_request = false;
};

struct BenchSelection {
  std::vector<engine::ConvShape> shapes;
  std::vector<kernels::Direction> directions;
  std::vector<const kernels::ConvRow<float>*> rows;
  const kernels::ConvRow<float>* reference = nullptr;  // null: chosen for each problem
  const kernels::ConvRow<float>* fallback = nullptr;   // where no row can do a problem; null with --algo
  engine::ConvBenchOptions options;
};

/// Usage errors name the flag, and the nearest name where one is unknown.
BenchSelection select_bench(const BenchFlags& flags, kernels::Backend backend);

/// Names of all rows of this build, for completion.
std::vector<CliWord> conv_row_words();

/// The rows that can do a problem, and among them the one that others are compared with: --reference, else
/// the last that is no oracle (the list is best first, so it is the plainest).
struct BenchCandidates {
  std::vector<const kernels::ConvRow<float>*> rows;
  const kernels::ConvRow<float>* reference = nullptr;
};

/// Says on stderr which rows cannot, and why.
BenchCandidates bench_candidates(const BenchSelection& selection, const kernels::Exec& exec,
                                 const engine::ConvShape& shape, kernels::Direction direction);

/// The row of that name; Usage that names the flag, and the nearest name, where the device has none.
const kernels::ConvRow<float>& find_row(const std::string& flag, const std::string& name,
                                        kernels::Backend backend);

/// Smaller, with the same kernel and padding, until it has at most `most` multiply-adds: batch first, then
/// the image, then channels.
kernels::ConvProblem bounded(kernels::ConvProblem problem, double most);

}  // namespace tools
