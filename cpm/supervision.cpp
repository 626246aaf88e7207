#include "cpm/supervision.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "cpm/config.h"
#include "kernels/base/error.h"

namespace cpm {

namespace {

bool stagewise(const Config& config) {
  return config.supervision.schedule == "stagewise";
}

Supervision joint_supervision(const Config& config) {
  Supervision s;
  s.weights = config.supervision.weights;
  if (!config.train.intermediate_supervision) {
    std::fill_n(s.weights.begin(), config.model.stages - 1, 0.0);
  }
  for (const int64_t stage : config.supervision.frozen) s.frozen[static_cast<size_t>(stage - 1)] = true;
  return s;
}

void require(bool ok, const std::string& where, const std::string& what, const std::string& expected,
             const std::string& got, const std::string& hint) {
  if (ok) return;
  throw kernels::Error(kernels::ExitCode::Usage,
                       {.where = where, .what = what, .expected = expected, .got = got, .hint = hint});
}

void check_stage_steps(const Config& config) {
  const auto& shares = config.supervision.stage_steps;
  if (shares.empty()) return;
  const char* const where = "supervision.stage_steps";
  require(stagewise(config), where, "only a stagewise schedule has steps of a stage",
          "supervision.schedule = \"stagewise\"", "\"joint\"", "set the schedule, or leave stage_steps out");
  require(static_cast<int64_t>(shares.size()) == config.model.stages, where, "not one number a stage",
          fmt::format("{} numbers (model.stages)", config.model.stages), fmt::format("{}", shares.size()),
          "give each stage its steps, or leave stage_steps out for equal shares");
  const int64_t sum = std::accumulate(shares.begin(), shares.end(), int64_t{0});
  require(config.train.epochs == 0 && (config.train.steps == 0 || config.train.steps == sum), where,
          "the stages' steps are not the run's", fmt::format("train.steps = {} or 0, train.epochs = 0", sum),
          fmt::format("train.steps = {}, train.epochs = {}", config.train.steps, config.train.epochs),
          fmt::format("--steps {}", sum));
}

void check_stagewise(const Config& config) {
  const std::string where = "supervision.schedule";
  const std::string hint = "leave it out: stage t learns alone, from its own loss alone";
  require(config.supervision.weights == SupervisionConfig{}.weights, where,
          "a stagewise schedule has no weights", "supervision.weights left out, all 1", "other weights",
          hint);
  require(config.supervision.frozen.empty(), where, "a stagewise schedule freezes stages itself",
          "supervision.frozen = []", fmt::format("[{}]", fmt::join(config.supervision.frozen, ", ")), hint);
  require(config.train.intermediate_supervision, where, "a stagewise schedule needs every stage's loss",
          "train.intermediate_supervision = true", "false", hint);
}

void check_joint(const Config& config) {
  const int stages = static_cast<int>(config.model.stages);
  const Supervision s = joint_supervision(config);
  const bool weighted =
      std::any_of(s.weights.begin(), s.weights.begin() + stages, [](double w) { return w > 0; });
  require(weighted, "supervision.weights", "no stage's loss counts", "a weight above 0",
          fmt::format("{} stages of weight 0", stages),
          config.train.intermediate_supervision
              ? "leave weights out for 1 each"
              : "without intermediate supervision only the last weight counts");
  require(s.reduced(stages).last() > 0, "supervision.frozen", "nothing would learn",
          "a stage that is not frozen, at or before one whose loss counts",
          fmt::format("[{}]", fmt::join(config.supervision.frozen, ", ")), "freeze fewer stages");
}

}  // namespace

Supervision Supervision::last_only(int stages) {
  Supervision s;
  std::fill_n(s.weights.begin(), stages - 1, 0.0);
  return s;
}

Supervision Supervision::only(int stage) {
  Supervision s;
  for (int t = 0; t < kMaxStages; ++t) {
    s.weights[static_cast<size_t>(t)] = t + 1 == stage ? 1 : 0;
    s.frozen[static_cast<size_t>(t)] = t + 1 != stage;
  }
  return s;
}

Supervision Supervision::reduced(int stages) const {
  Supervision s = *this;
  bool learns = false;
  for (size_t t = 0; t < kMaxStages; ++t) {
    const bool there = static_cast<int>(t) < stages;
    learns = learns || (there && !frozen[t]);
    if (!there || !learns) s.weights[t] = 0;
  }
  for (int t = s.last(); t < kMaxStages; ++t) s.frozen[static_cast<size_t>(t)] = true;
  return s;
}

int Supervision::last() const {
  int stage = kMaxStages;
  while (stage > 0 && !(weights[static_cast<size_t>(stage - 1)] > 0)) --stage;
  return stage;
}

std::vector<Period> make_periods(const Config& config, int64_t total) {
  const int stages = static_cast<int>(config.model.stages);
  if (!stagewise(config)) {
    return {{.before = 0, .steps = total, .supervision = joint_supervision(config).reduced(stages)}};
  }
  std::vector<Period> periods;
  int64_t before = 0;
  for (int t = 1; t <= stages; ++t) {
    const auto& shares = config.supervision.stage_steps;
    const int64_t end = shares.empty() ? total * t / stages : before + shares[static_cast<size_t>(t - 1)];
    require(end > before, "supervision.schedule", fmt::format("stage {} would get no step", t),
            fmt::format("at least {} steps", stages), fmt::format("{}", total),
            "train longer, or a joint schedule");
    periods.push_back(
        {.before = before, .steps = end - before, .supervision = Supervision::only(t).reduced(stages)});
    before = end;
  }
  return periods;
}

const Period& period_of(const std::vector<Period>& periods, int64_t step) {
  const auto found = std::find_if(periods.begin(), periods.end(),
                                  [step](const Period& p) { return step <= p.before + p.steps; });
  return found == periods.end() ? periods.back() : *found;
}

std::string supervision_text(const std::vector<Period>& periods, int stages) {
  if (periods.size() > 1) {
    std::vector<std::string> parts;
    for (const Period& p : periods)
      parts.push_back(fmt::format("{} to step {}", p.supervision.last(), p.before + p.steps));
    return fmt::format("stage by stage: {}", fmt::join(parts, ", "));
  }
  const Supervision& s = periods[0].supervision;
  if (s == Supervision{}.reduced(stages)) return "every stage";
  if (s == Supervision::last_only(stages).reduced(stages)) return "the last stage only";
  std::vector<int> frozen;
  for (int t = 1; t <= stages; ++t) {
    if (s.frozen[static_cast<size_t>(t - 1)]) frozen.push_back(t);
  }
  const std::string text =
      fmt::format("losses weighted {:g}", fmt::join(s.weights.begin(), s.weights.begin() + stages, ", "));
  return frozen.empty() ? text : fmt::format("{}; frozen: stage {}", text, fmt::join(frozen, ", "));
}

void check_supervision(const Config& config) {
  for (const int64_t stage : config.supervision.frozen) {
    require(stage <= config.model.stages, "supervision.frozen", "no such stage",
            config.model.stages == 1 ? "1" : fmt::format("1-{}", config.model.stages),
            fmt::format("{}", stage), "model.stages says how many there are");
  }
  if (stagewise(config)) {
    check_stagewise(config);
  } else {
    check_joint(config);
  }
  check_stage_steps(config);
}

}  // namespace cpm
