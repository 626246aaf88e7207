// How good the fixed rule's choice is among the rows that bench_conv timed.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "tools/conv_report.h"

namespace tools {

namespace {

/// What the rule chose for one problem and direction, and what was quickest; among them it had a choice.
struct Choice {
  const BenchRow* ruled = nullptr;
  const BenchRow* quickest = nullptr;
  int candidates = 0;

  bool counts() const { return ruled != nullptr && candidates > 1; }
  double ratio() const { return ruled->result.stats->median / quickest->result.stats->median; }
};

std::string timed(const BenchRow& row) {
  return fmt::format("{} {:.4g} ms", row.result.row->name, row.result.stats->median * 1e3);
}

}  // namespace

std::string rule_summary(const std::vector<BenchRow>& rows) {
  std::map<std::tuple<std::string, int64_t, kernels::Direction>, Choice> choices;
  for (const BenchRow& row : rows) {
    if (!row.candidate || !row.result.stats) continue;
    Choice& choice = choices[{row.name, row.problem.N, row.direction}];
    ++choice.candidates;
    if (row.ruled) choice.ruled = &row;
    if (choice.quickest == nullptr || row.result.stats->median < choice.quickest->result.stats->median) {
      choice.quickest = &row;
    }
  }
  int problems = 0;
  double ruled = 0, quickest = 0;
  const Choice* worst = nullptr;
  for (const auto& [key, choice] : choices) {
    if (!choice.counts()) continue;
    ++problems;
    ruled += choice.ruled->result.stats->median;
    quickest += choice.quickest->result.stats->median;
    if (worst == nullptr || choice.ratio() > worst->ratio()) worst = &choice;
  }
  if (worst == nullptr) return "";
  const BenchRow& row = *worst->ruled;
  const std::string where =
      worst->ratio() > 1
          ? fmt::format(" ({} {} batch {}: {}, {})", row.name, kernels::direction_name(row.direction),
                        row.problem.N, timed(row), timed(*worst->quickest))
          : "";
  return fmt::format(
      "rule: over {} problems its row takes at most {:.2f} of the quickest row's time{}, {:.2f} in sum",
      problems, worst->ratio(), where, ruled / quickest);
}

}  // namespace tools
