// Times convolution rows against each other: each is checked first, then the candidates take turns in one
// process, so that whatever else the machine does meets all of them. A wrong row gets no time.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/tune/sample_stats.h"
#include "kernels/conv2d/conv2d.h"

namespace engine {

struct ConvBenchOptions {
  int samples = 7;      // quiet ones wanted of each row; up to three times as many are tried
  double seconds = 20;  // per row: no new round begins after that
  bool time = true;     // false: check only
  uint64_t seed = 1;    // of the operands
};

/// A sample is quiet when the process had (user + system) / wall >= 0.95 processors a thread: otherwise a
/// neighbour was at work (or the row left threads idle). On a device every sample is.
struct ConvSamples {
  std::vector<double> seconds;  // a call, in the order of the rounds
  std::vector<double> busy;     // processors a thread; 1 on a device
  std::vector<bool> quiet;

  int kept() const;
};

struct ConvBenchResult {
  const kernels::ConvRow<float>* row = nullptr;
  double error = 0, error_bound = 0;  // relative L2; NaN where the output was not written or not finite
  std::string detail;                 // ConvRow::detail; empty where the row says nothing
  size_t workspace = 0;               // bytes
  double effective_flops = 0, executed_flops = 0;
  double bytes = 0;  // every tensor once
  ConvSamples samples;
  int calls = 0;                      // in one sample
  bool enough_quiet = true;           // false: statistics of all samples, as fewer than three were quiet
  std::optional<SampleStats> stats;   // none: wrong, or not timed
  std::optional<double> warm_median;  // devices: calls back to back, the caches not flushed
  // Reference's time over this row's: of the medians, and the least and greatest of single rounds.
  std::optional<double> ratio, ratio_low, ratio_high;

  bool right() const { return error <= error_bound; }
};

/// One result a row, in their order. `reference` is among `rows`. Rows must support the problem.
/// On a device every sample begins with its second-level cache flushed; on the CPU it is as calls left it.
std::vector<ConvBenchResult> bench_conv(const kernels::Exec& exec, const kernels::ConvProblem& problem,
                                        kernels::Direction direction,
                                        std::span<const kernels::ConvRow<float>* const> rows,
                                        const kernels::ConvRow<float>* reference,
                                        const ConvBenchOptions& options);

}  // namespace engine
