// Choosing convolution rows by times that the tests make up: who is quickest, what is timed, what is known.
#include "engine/tune/conv_tuner.h"

#include "engine/tune/conv_candidates.h"
#include "tests/support/cpu_kernels.h"

using engine::ConvPlan;
using engine::ConvRowTimes;
using engine::ConvTimes;
using kernels::ConvProblem;
using kernels::Direction;

namespace {

constexpr ConvProblem kSmall{.C = 3, .H = 9, .W = 8, .K = 4, .R = 3, .S = 3, .pad_h = 1, .pad_w = 1};
constexpr ConvProblem kStrided{.C = 3, .H = 9, .W = 8, .K = 4, .R = 3, .S = 3, .stride = 2};

using Lines = std::vector<engine::PlannedConv>;
const Lines kLines = {{"conv1", kSmall, Direction::Fprop, ""},
                      {"conv2", kSmall, Direction::Fprop, ""},  // the same problem
                      {"conv1", kSmall, Direction::Dgrad, ""},
                      {"conv3", kStrided, Direction::Fprop, ""}};  // the reference's alone
const std::string kFprop = ConvPlan::key(kSmall, Direction::Fprop);
const std::string kDgrad = ConvPlan::key(kSmall, Direction::Dgrad);

/// A clock that shows what it is told, and remembers what it was asked.
struct FakeClock {
  ConvRowTimes fprop, dgrad;
  std::vector<std::string> asked;

  engine::ConvTuning tuning() {
    return {.time = [this](const kernels::Exec&, const ConvProblem& problem, Direction direction,
                           const std::vector<const kernels::ConvRow<float>*>& rows) {
      asked.push_back(ConvPlan::key(problem, direction));
      for (const auto* row : rows) CHECK_FALSE(engine::is_reference(*row));
      return direction == Direction::Fprop ? fprop : dgrad;
    }};
  }
};

ConvRowTimes times(std::optional<double> direct, std::optional<double> fft) {
  return {{"cpu.direct", direct}, {"cpu.fft", fft}};
}

}  // namespace

TEST_CASE("conv tuner: the quickest row of each problem and direction, each timed once") {
  tests::Cpu cpu;
  FakeClock clock{times(2, 1), times(1, 2), {}};
  ConvTimes all;
  const auto plan = engine::tune_conv(cpu.exec, kLines, clock.tuning(), &all);
  CHECK(clock.asked == std::vector<std::string>{kFprop, kDgrad});
  CHECK(plan == std::map<std::string, std::string>{{kFprop, "cpu.fft"}, {kDgrad, "cpu.direct"}});
  CHECK(all == ConvTimes{{kFprop, clock.fprop}, {kDgrad, clock.dgrad}});
}

TEST_CASE("conv tuner: equal times go to the first of the list, wrong rows to nobody") {
  tests::Cpu cpu;
  FakeClock clock{times(1, 1), times(std::nullopt, 9), {}};
  ConvTimes all;
  auto plan = engine::tune_conv(cpu.exec, kLines, clock.tuning(), &all);
  CHECK(plan == std::map<std::string, std::string>{{kFprop, "cpu.direct"}, {kDgrad, "cpu.fft"}});
  clock.fprop = clock.dgrad = times(std::nullopt, std::nullopt);
  all.clear();
  CHECK(engine::tune_conv(cpu.exec, kLines, clock.tuning(), &all).empty());  // the rule decides
}

TEST_CASE("conv tuner: what is known is not timed again, unless the candidates were others") {
  tests::Cpu cpu;
  FakeClock clock{times(2, 1), times(2, 1), {}};
  ConvTimes all = {{kFprop, times(1, 2)}, {kDgrad, {{"cpu.direct", 1}, {"cpu.older", 2}}}};
  int measured = 0;
  std::vector<std::string> said;
  engine::ConvTuning tuning = clock.tuning();
  tuning.measured = [&](const ConvTimes& now) { measured += now == all; };
  tuning.say = [&](const std::string& text) { said.push_back(text); };
  const auto plan = engine::tune_conv(cpu.exec, kLines, tuning, &all);
  CHECK(clock.asked == std::vector<std::string>{kDgrad});
  CHECK(measured == 1);
  CHECK(plan == std::map<std::string, std::string>{{kFprop, "cpu.direct"}, {kDgrad, "cpu.fft"}});
  CHECK(said ==
        std::vector<std::string>{"tuning: 2 convolutions have a choice of rows, 1 are to be timed",
                                 "tuning 1/1: conv1 " + kDgrad + ": cpu.direct 2000 ms, cpu.fft 1000 ms"});
  all[kFprop].erase("cpu.fft");
  engine::tune_conv(cpu.exec, kLines, tuning, &all);
  CHECK(clock.asked == std::vector<std::string>{kDgrad, kFprop});
}

TEST_CASE("conv tuner: a plan follows what was tuned") {
  tests::Cpu cpu;
  FakeClock clock{times(2, 1), times(1, 2), {}};
  ConvTimes all;
  ConvPlan plan;
  plan.follow(engine::tune_conv(cpu.exec, kLines, clock.tuning(), &all),
              [](const std::string& text) { FAIL(text); });
  for (const engine::PlannedConv& line : kLines) {
    plan.choose<float>(cpu.exec, line.layer, line.problem, line.direction);
  }
  std::vector<std::string> rows;
  for (const engine::PlannedConv& line : plan.lines()) rows.push_back(line.row);
  CHECK(rows == std::vector<std::string>{"cpu.fft", "cpu.fft", "cpu.direct", "cpu.reference"});
}

TEST_CASE("conv tuner: the real clock gives every candidate a time") {
  tests::Cpu cpu(1);
  const auto rows = engine::conv_candidates(cpu.exec, kSmall, Direction::Dgrad, false);
  REQUIRE(rows.size() == 2);
  const ConvRowTimes measured = engine::time_conv_rows(cpu.exec, kSmall, Direction::Dgrad, rows);
  REQUIRE(measured.size() == 2);
  for (const auto* row : rows) CHECK(measured.at(row->name).value_or(0) > 0);
}

TEST_CASE("conv tuner: candidates are the backend's rows that can run, in order") {
  tests::Cpu cpu;
  std::vector<std::string> names;
  for (const auto* row : engine::conv_candidates(cpu.exec, kSmall, Direction::Fprop, true)) {
    names.emplace_back(row->name);
  }
  CHECK(names == std::vector<std::string>{"cpu.direct", "cpu.fft"});
  CHECK(engine::conv_candidates(cpu.exec, kStrided, Direction::Fprop, false).empty());
  // By FFT a weight gradient whose outer taps see little of dy would be noise there: it declines.
  const ConvProblem padded{.C = 3, .H = 6, .W = 6, .K = 4, .R = 11, .S = 11, .pad_h = 5, .pad_w = 5};
  const auto wgrad = engine::conv_candidates(cpu.exec, padded, Direction::Wgrad, true);
  REQUIRE(wgrad.size() == 2);
  CHECK(wgrad[0]->name == std::string("cpu.direct"));
  CHECK(wgrad[1]->name == std::string("cpu.outer"));
  CHECK(engine::conv_candidates(cpu.exec, padded, Direction::Dgrad, true).size() == 2);
}
