// Which stages' losses are differentiated and which stages learn, and the periods of a run in which that
// stays as it is: the training variants of the paper's figure 6b are all said so (docs/training.md).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "cpm/stages.h"

namespace cpm {

struct Config;

/// Of one step. A stage's image trunk belongs to it (stage 2's serves the later stages too).
struct Supervision {
  std::array<double, kMaxStages> weights = {1, 1, 1, 1, 1, 1};  // of the stages' losses; 0: left out
  std::array<bool, kMaxStages> frozen = {};                     // stages whose parameters get no gradient

  /// The last stage's loss alone, every stage learns.
  static Supervision last_only(int stages);
  /// One stage (from 1) learns, from its own loss.
  static Supervision only(int stage);

  /// The same for a network of so many stages, without what changes nothing: a loss that no learning stage
  /// reaches has weight 0, a stage that reaches no loss is frozen.
  Supervision reduced(int stages) const;
  /// The last stage with a weight, from 1; 0 where none has one. Later ones need not be computed.
  int last() const;

  bool operator==(const Supervision&) const = default;
};

/// Steps before + 1 ... before + steps of a run, which have one supervision. The learning rate's schedule
/// starts afresh with each.
struct Period {
  int64_t before = 0, steps = 0;
  Supervision supervision;  // reduced
};

/// The whole of a run of `total` steps, in order. Usage where a stage would get no step.
std::vector<Period> make_periods(const Config& config, int64_t total);
/// The period that `step` (from 1) is in; the last one beyond the end.
const Period& period_of(const std::vector<Period>& periods, int64_t step);
/// For the header: "every stage", "stage by stage: 1 to step 10, 2 to step 20".
std::string supervision_text(const std::vector<Period>& periods, int stages);

/// Usage where the [supervision] keys contradict each other, name a stage that is not there, or let nothing
/// learn.
void check_supervision(const Config& config);

}  // namespace cpm
