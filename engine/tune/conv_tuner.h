// Chooses convolution rows by the clock: each candidate for a problem and direction is timed once, the
// quickest runs. Times that are known already are not measured again.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/tune/conv_plan.h"

namespace engine {

/// Row name -> seconds of a call; none of a row whose result was wrong.
using ConvRowTimes = std::map<std::string, std::optional<double>>;
/// ConvPlan::key -> what its candidates took.
using ConvTimes = std::map<std::string, ConvRowTimes>;

/// Checks each row, then times them in turns: the median of three quiet samples (conv_bench.h). Takes memory
/// for the problem's tensors and scratch while it runs.
ConvRowTimes time_conv_rows(const kernels::Exec& exec, const kernels::ConvProblem& problem,
                            kernels::Direction direction,
                            const std::vector<const kernels::ConvRow<float>*>& rows);

struct ConvTuning {
  bool by_name = false;  // also rows that the fixed rule passes over
  std::function<ConvRowTimes(const kernels::Exec&, const kernels::ConvProblem&, kernels::Direction,
                             const std::vector<const kernels::ConvRow<float>*>&)>
      time = time_conv_rows;
  std::function<void(const std::string&)> say;     // what is to be timed, then a line for each problem
  std::function<void(const ConvTimes&)> measured;  // all times, after each problem that was timed
};

/// For every problem of `lines` that has a choice of candidates, the quickest: key -> row name, for
/// ConvPlan::follow. Of equal times the first of the list; the rule decides where every candidate was wrong.
/// `times` holds what is known, and then also what was measured; a problem counts as known where its
/// candidates are those of today.
std::map<std::string, std::string> tune_conv(const kernels::Exec& exec, const std::vector<PlannedConv>& lines,
                                             const ConvTuning& tuning, ConvTimes* times);

}  // namespace engine
