// What learns from which loss: the keys that say it, a run's periods, and gradients against sums of others.
#include "cpm/supervision.h"

#include <cmath>

#include "cpm/config.h"
#include "tests/cpm/network_support.h"
#include "tests/support/cpu_kernels.h"
#include "tests/support/temp_folder.h"

namespace {

using cpm::Config;
using cpm::Supervision;
using engine::DType;

constexpr int kStages = 3;

Config config_of(const std::vector<std::string>& assignments) {
  Config config;
  config.model.stages = kStages;
  for (const std::string& assignment : assignments) config.set(assignment);
  return config;
}

/// Gradients and losses of one small batch, in double.
class Network {
 public:
  Network() : runner_(model_, cpu_.exec) {}

  cpm::StepResult run(const Supervision& supervision) {
    cpm::StepResult result = runner_.gradients(batch_, supervision);
    const auto flat = model_.parameters().flat_grad().span<double>();
    gradient.assign(flat.begin(), flat.end());
    return result;
  }

  /// Calls body(parameter's stage, first element, end) for each parameter.
  template <class Body>
  void each(Body body) const {
    for (const engine::Parameter& p : model_.parameters().all()) {
      body(p.name[p.name.find("_stage") + 6] - '0', static_cast<size_t>(p.offset),
           static_cast<size_t>(p.offset + p.shape.count()));
    }
  }

  std::vector<double> gradient;

 private:
  tests::Cpu cpu_;
  cpm::Model model_ = tests::small_model({.stages = kStages, .joints = 2, .width = 0.05}, DType::F64);
  cpm::BatchTensors batch_ = tests::small_batch({.n = 2, .joints = 2, .height = 16, .width = 24}, DType::F64);
  cpm::StepRunner runner_;
};

void check_near(double got, double want, double size) {
  CHECK(std::fabs(got - want) <= 1e-12 * size);
}

double norm(const std::vector<double>& values) {
  double squares = 0;
  for (const double v : values) squares += v * v;
  return std::sqrt(squares);
}

}  // namespace

TEST_CASE("supervision: gradients of weighted losses are the weighted sum of each loss's gradient") {
  Network network;
  const std::array<double, 6> weights = {0.25, 2, 0.5, 9, 9, 9};
  std::vector<double> sum;
  for (size_t t = 0; t < kStages; ++t) {
    Supervision alone;
    alone.weights = {};
    alone.weights[t] = 1;
    const cpm::StepResult result = network.run(alone);
    CHECK(result.loss == result.stage_losses[t]);
    sum.resize(network.gradient.size());
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += weights[t] * network.gradient[i];
  }
  const cpm::StepResult result = network.run({.weights = weights});
  check_near(result.loss,
             0.25 * result.stage_losses[0] + 2 * result.stage_losses[1] + 0.5 * result.stage_losses[2],
             result.loss);
  for (size_t i = 0; i < sum.size(); ++i) check_near(network.gradient[i], sum[i], norm(sum));
}

TEST_CASE("supervision: frozen stages have the gradient 0, all others what they had") {
  Network network;
  const cpm::StepResult before = network.run({});
  const std::vector<double> all = network.gradient;
  for (int frozen = 1; frozen <= kStages; ++frozen) {
    Supervision s;
    s.frozen[static_cast<size_t>(frozen - 1)] = true;
    const cpm::StepResult result = network.run(s);
    CHECK(result.stage_losses == before.stage_losses);
    // No parameter that learns has a part in the loss of a frozen first stage.
    check_near(result.loss, before.loss - (frozen == 1 ? before.stage_losses[0] : 0), before.loss);
    network.each([&](int stage, size_t begin, size_t end) {
      CAPTURE(frozen, stage);
      for (size_t i = begin; i < end; ++i) {
        if (stage == frozen) {
          CHECK(network.gradient[i] == 0);
        } else {
          check_near(network.gradient[i], all[i], norm(all));
        }
      }
    });
  }
}

TEST_CASE("supervision: one stage alone learns from its own loss, later ones are not computed") {
  Network network;
  const cpm::StepResult all = network.run({});
  for (int stage = 1; stage <= kStages; ++stage) {
    const cpm::StepResult result = network.run(Supervision::only(stage));
    REQUIRE(result.stage_losses.size() == kStages);
    for (int t = 1; t <= kStages; ++t) {
      const auto i = static_cast<size_t>(t - 1);
      CAPTURE(stage, t);
      CHECK(
          (t <= stage ? result.stage_losses[i] == all.stage_losses[i] : std::isnan(result.stage_losses[i])));
    }
    CHECK(result.loss == all.stage_losses[static_cast<size_t>(stage - 1)]);
    double squares = 0;
    network.each([&](int owner, size_t begin, size_t end) {
      double sum = 0;
      for (size_t i = begin; i < end; ++i) sum += network.gradient[i] * network.gradient[i];
      CHECK((sum > 0) == (owner == stage));
      squares += sum;
    });
    check_near(result.grad_norm, std::sqrt(squares), result.grad_norm);
  }
}

TEST_CASE("supervision: what changes nothing is taken out") {
  Supervision s;
  s.frozen = {true, false, false, false, false, false};
  s.weights = {1, 1, 0, 1, 1, 1};
  const Supervision reduced = s.reduced(3);
  CHECK(reduced.weights == std::array<double, 6>{0, 1, 0, 0, 0, 0});  // stage 1's loss reaches nothing
  CHECK(reduced.frozen == std::array<bool, 6>{true, false, true, true, true, true});  // no loss reaches 3
  CHECK(reduced.last() == 2);
  CHECK(reduced.reduced(3) == reduced);
  CHECK(Supervision{}.reduced(6) == Supervision{});
  CHECK(Supervision{}.last() == 6);
  s.frozen.fill(true);
  CHECK(s.reduced(6).last() == 0);
}

TEST_CASE("supervision: a joint run is one period, a stagewise one has a period a stage") {
  const auto joint = cpm::make_periods(config_of({}), 10);
  REQUIRE(joint.size() == 1);
  CHECK(joint[0].steps == 10);
  CHECK(joint[0].supervision == Supervision{}.reduced(kStages));
  CHECK(cpm::supervision_text(joint, kStages) == "every stage");

  const auto last = cpm::make_periods(config_of({"train.intermediate_supervision=false"}), 10);
  CHECK(last[0].supervision == Supervision::last_only(kStages).reduced(kStages));
  CHECK(cpm::supervision_text(last, kStages) == "the last stage only");

  const auto weighted =
      cpm::make_periods(config_of({"supervision.weights=[1, 0.5]", "supervision.frozen=[2]"}), 10);
  CHECK(cpm::supervision_text(weighted, kStages) == "losses weighted 1, 0.5, 1; frozen: stage 2");

  const Config stagewise = config_of({"supervision.schedule=stagewise"});
  const auto periods = cpm::make_periods(stagewise, 11);
  REQUIRE(periods.size() == kStages);
  CHECK(cpm::supervision_text(periods, kStages) == "stage by stage: 1 to step 3, 2 to step 7, 3 to step 11");
  for (int64_t step = 1, t = 1; step <= 11; ++step) {
    if (step == 4 || step == 8) ++t;
    CHECK(&cpm::period_of(periods, step) == &periods[static_cast<size_t>(t - 1)]);
    CHECK(cpm::period_of(periods, step).supervision ==
          Supervision::only(static_cast<int>(t)).reduced(kStages));
  }
  CHECK(&cpm::period_of(periods, 99) == &periods.back());
  const auto thrown = tests::thrown_by([&] { cpm::make_periods(stagewise, 2); });
  CHECK(thrown.code == kernels::ExitCode::Usage);

  const auto shares = cpm::make_periods(
      config_of({"supervision.schedule=stagewise", "supervision.stage_steps=[2, 5, 4]"}), 11);
  CHECK(shares[1].before == 2);
  CHECK(shares[2].before == 7);
  CHECK(shares[2].steps == 4);
}

TEST_CASE("supervision: keys that contradict each other are refused, each with its way out") {
  struct Wrong {
    std::vector<std::string> assignments;
    std::string where, hint;
  };
  const std::string stagewise = "supervision.schedule=stagewise", shares = "supervision.stage_steps=";
  const std::vector<Wrong> list = {
      {{"supervision.frozen=[1, 4]"}, "supervision.frozen", "model.stages"},
      {{"supervision.frozen=[1, 2, 3]"}, "supervision.frozen", "fewer"},
      {{"supervision.weights=[1, 0, 0]", "supervision.frozen=[1]"}, "supervision.frozen", "fewer"},
      {{"supervision.weights=[0, 0, 0]"}, "supervision.weights", "leave weights out"},
      {{"supervision.weights=[1, 1, 0]", "train.intermediate_supervision=false"},
       "supervision.weights",
       "last"},
      {{stagewise, "supervision.weights=[1, 2]"}, "supervision.schedule", "leave it out"},
      {{stagewise, "supervision.frozen=[1]"}, "supervision.schedule", "leave it out"},
      {{stagewise, "train.intermediate_supervision=false"}, "supervision.schedule", "leave it out"},
      {{shares + "[2, 2, 2]"}, "supervision.stage_steps", "schedule"},
      {{stagewise, shares + "[2, 2]"}, "supervision.stage_steps", "equal shares"},
      {{stagewise, shares + "[2, 2, 3]", "train.steps=6"}, "supervision.stage_steps", "--steps 7"},
      {{stagewise, shares + "[2, 2, 3]", "train.epochs=1"}, "supervision.stage_steps", "--steps 7"}};
  for (const Wrong& wrong : list) {
    const auto thrown = tests::thrown_by([&] { config_of(wrong.assignments).validate(); });
    CAPTURE(wrong.assignments, thrown.line);
    CHECK(thrown.code == kernels::ExitCode::Usage);
    CHECK(thrown.line.rfind(wrong.where + ": ", 0) == 0);
    const size_t hint = thrown.line.find("hint: ");
    REQUIRE(hint != std::string::npos);
    CHECK(thrown.line.find(wrong.hint, hint) != std::string::npos);
  }
  for (const char* steps : {"0", "7"}) {
    config_of({stagewise, shares + "[2, 2, 3]", std::string("train.steps=") + steps}).validate();
  }
  config_of({"supervision.weights=[0.5, 1, 0]"}).validate();
  CHECK_THROWS_AS(config_of({shares + "[2.5]"}), kernels::Error);
  CHECK_THROWS_AS(config_of({"supervision.frozen=[0]"}), kernels::Error);
}
