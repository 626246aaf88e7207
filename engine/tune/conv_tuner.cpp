#include "engine/tune/conv_tuner.h"

#include <fmt/format.h>

#include "engine/tune/conv_bench.h"
#include "engine/tune/conv_candidates.h"

namespace engine {

namespace {

using Rows = std::vector<const kernels::ConvRow<float>*>;

/// A problem with more than one candidate.
struct Choice {
  std::string key;
  const PlannedConv* line;
  Rows rows;
};

std::vector<Choice> choices_of(const kernels::Exec& exec, const std::vector<PlannedConv>& lines,
                               bool by_name) {
  std::map<std::string, bool> seen;
  std::vector<Choice> choices;
  for (const PlannedConv& line : lines) {
    std::string key = ConvPlan::key(line.problem, line.direction);
    if (!seen.emplace(key, true).second) continue;
    Rows rows = conv_candidates(exec, line.problem, line.direction, by_name);
    if (rows.size() > 1) choices.push_back({std::move(key), &line, std::move(rows)});
  }
  return choices;
}

bool known(const Choice& choice, const ConvTimes& times) {
  const auto found = times.find(choice.key);
  if (found == times.end() || found->second.size() != choice.rows.size()) return false;
  for (const auto* row : choice.rows) {
    if (found->second.count(row->name) == 0) return false;
  }
  return true;
}

const char* quickest(const Choice& choice, const ConvRowTimes& times) {
  const char* best = nullptr;
  double least = 0;
  for (const auto* row : choice.rows) {
    const std::optional<double> seconds = times.at(row->name);
    if (!seconds || (best != nullptr && *seconds >= least)) continue;
    best = row->name;
    least = *seconds;
  }
  return best;
}

std::string text_of(const Choice& choice, const ConvRowTimes& times) {
  std::string text;
  for (const auto* row : choice.rows) {
    const std::optional<double> seconds = times.at(row->name);
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", row->name,
                        seconds ? fmt::format("{:.4g} ms", *seconds * 1e3) : "WRONG");
  }
  return text;
}

}  // namespace

ConvRowTimes time_conv_rows(const kernels::Exec& exec, const kernels::ConvProblem& problem,
                            kernels::Direction direction, const Rows& rows) {
  ConvBenchOptions options;
  options.samples = 3;
  options.seconds = 4;
  ConvRowTimes times;
  for (const ConvBenchResult& result : bench_conv(exec, problem, direction, rows, nullptr, options)) {
    times[result.row->name] = result.stats ? std::optional(result.stats->median) : std::nullopt;
  }
  return times;
}

std::map<std::string, std::string> tune_conv(const kernels::Exec& exec, const std::vector<PlannedConv>& lines,
                                             const ConvTuning& tuning, ConvTimes* times) {
  const std::vector<Choice> choices = choices_of(exec, lines, tuning.by_name);
  size_t wanted = 0, done = 0;
  for (const Choice& choice : choices) wanted += !known(choice, *times);
  if (tuning.say) {
    tuning.say(fmt::format("tuning: {} convolutions have a choice of rows, {} are to be timed",
                           choices.size(), wanted));
  }
  std::map<std::string, std::string> plan;
  for (const Choice& choice : choices) {
    if (!known(choice, *times)) {
      const PlannedConv& line = *choice.line;
      (*times)[choice.key] = tuning.time(exec, line.problem, line.direction, choice.rows);
      ++done;
      if (tuning.say) {
        tuning.say(fmt::format("tuning {}/{}: {} {}: {}", done, wanted, line.layer, choice.key,
                               text_of(choice, times->at(choice.key))));
      }
      if (tuning.measured) tuning.measured(*times);
    }
    if (const char* row = quickest(choice, times->at(choice.key)); row != nullptr) plan[choice.key] = row;
  }
  return plan;
}

}  // namespace engine
