// What a runner refuses: steps that overlap, and steps on nothing; and the convolution rows that it follows.
#include "cpm/step_runner.h"

#include <cmath>
#include <cstring>

#include "kernels/base/error.h"
#include "tests/cpm/network_support.h"
#include "tests/support/cpu_kernels.h"

TEST_CASE("step runner: a step is waited for before the next one, and made of what was uploaded") {
  cpm::Model model = tests::small_model({.stages = 2, .joints = 4, .width = 0.05}, engine::DType::F32);
  const auto batch = tests::small_batch({.n = 1, .joints = 4, .height = 16, .width = 16}, engine::DType::F32);
  tests::Cpu cpu;
  cpm::StepRunner runner(model, cpu.exec);
  CHECK_THROWS_AS(runner.launch({}), kernels::Error);  // nothing was uploaded
  CHECK_THROWS_AS(runner.wait(), kernels::Error);
  runner.upload(batch);
  runner.launch({});
  CHECK_THROWS_AS(runner.launch({}), kernels::Error);
  CHECK_THROWS_AS(runner.beliefs(batch), kernels::Error);
  const auto first = runner.wait();
  CHECK_THROWS_AS(runner.wait(), kernels::Error);
  runner.launch({});  // on the same batch again
  CHECK(runner.wait().stage_losses == first.stage_losses);
  CHECK(runner.gradients(batch).loss == first.loss);
}

TEST_CASE("step runner: rows to follow hold from the next step on, also after steps by others") {
  cpm::Model model = tests::small_model({.stages = 2, .joints = 4, .width = 0.05}, engine::DType::F32);
  const auto batch = tests::small_batch({.n = 1, .joints = 4, .height = 16, .width = 16}, engine::DType::F32);
  tests::Cpu cpu;
  cpm::StepRunner runner(model, cpu.exec);
  const auto ruled = runner.gradients(batch);
  const auto by_rule = runner.plan().chosen();
  std::map<std::string, std::string> rows;
  for (const auto& [key, row] : by_rule) rows[key] = "cpu.reference";
  rows.erase(rows.begin());  // there the rule decides
  runner.follow(rows, [](const std::string& text) { FAIL(text); });
  const auto followed = runner.gradients(batch);
  rows.insert(*by_rule.begin());
  CHECK(runner.plan().chosen() == rows);
  CHECK(std::fabs(followed.loss / ruled.loss - 1) < 1e-5);
  runner.follow({}, nullptr);
  CHECK(runner.gradients(batch).loss == ruled.loss);
  CHECK(runner.plan().chosen() == by_rule);
  runner.upload(batch);
  runner.launch({});
  CHECK_THROWS_AS(runner.follow({}, nullptr), kernels::Error);
  runner.wait();
}

namespace {

/// What the step that was waited for counted of the parameters is what the reduce kernel finds in the model's
/// gradient; returns the number of elements.
int64_t check_parameters(const cpm::StepRunner& runner, const cpm::Model& model, const kernels::Exec& exec) {
  const std::vector<cpm::GradTensor> tensors = runner.collected_tensors();
  const std::vector<cpm::GradCounts> counts = runner.collected();
  REQUIRE(tensors.size() == counts.size());
  int64_t elements = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    CAPTURE(tensors[i].name);
    const kernels::SegmentStats& stats = counts[i].stats;
    int64_t sum = stats.nan + stats.inf + stats.zero + stats.subnormal;
    sum += counts[i].histogram.underflow + counts[i].histogram.overflow;
    for (const uint32_t n : counts[i].histogram.negative) sum += n;
    for (const uint32_t n : counts[i].histogram.positive) sum += n;
    CHECK(sum == engine::Shape(tensors[i].shape).count());
    elements += sum;
    if (tensors[i].kind == "activation") continue;
    const engine::Parameter& p = model.parameters().at(tensors[i].name);
    kernels::SegmentStats expected;
    kernels::LogHistogram histogram;
    const kernels::Segment whole{0, p.shape.count()};
    kernels::reduce_kernels<float>(kernels::Backend::Cpu)
        .segments(exec, {whole.count, &whole, 1}, p.grad.data<float>(), &expected, &histogram);
    CHECK(std::memcmp(&histogram, &counts[i].histogram, sizeof(histogram)) == 0);
    CHECK(stats.sum_squares == Approx(expected.sum_squares));
    CHECK(stats.max_abs == expected.max_abs);
  }
  return elements;
}

}  // namespace

TEST_CASE("step runner: a step counts its gradients and is otherwise the same step") {
  const cpm::NetworkConfig network{.stages = 2, .joints = 4, .width = 0.05};
  const auto batch = tests::small_batch({.n = 2, .joints = 4, .height = 32, .width = 24}, engine::DType::F32);
  tests::Cpu cpu;
  cpm::Model plain_model = tests::small_model(network, engine::DType::F32);
  cpm::Model model = tests::small_model(network, engine::DType::F32);
  cpm::StepRunner plain(plain_model, cpu.exec), runner(model, cpu.exec);
  const std::vector<engine::ParameterScale> scales(model.parameters().all().size());
  engine::Optimizer plain_adam(plain_model.parameters(), {}, scales), adam(model.parameters(), {}, scales);
  CHECK_THROWS_AS(runner.launch({.collect = true}), kernels::Error);
  runner.collect({.activations = true, .linear = {.bins = 10, .range = 1e-3}});
  for (int step = 0; step < 3; ++step) {
    CAPTURE(step);
    const auto before = model.parameters().flat_value().span<float>();
    const std::vector<float> old(before.begin(), before.end());
    plain.upload(batch);
    plain.launch({.optimizer = &plain_adam, .lr = 1e-3});
    const cpm::StepResult expected = plain.wait();
    runner.upload(batch);
    runner.launch({.optimizer = &adam, .lr = 1e-3, .collect = step != 1});
    const cpm::StepResult result = runner.wait();
    CHECK(result.stage_losses == expected.stage_losses);
    CHECK(result.grad_norm == Approx(expected.grad_norm).epsilon(1e-12));
    CHECK(result.non_finite == 0);
    CHECK(std::memcmp(model.parameters().flat_value().data<float>(),
                      plain_model.parameters().flat_value().data<float>(), old.size() * sizeof(float)) == 0);
    if (step == 1) continue;
    CHECK(check_parameters(runner, model, cpu.exec) > model.parameters().count());
    const std::vector<cpm::GradTensor> tensors = runner.collected_tensors();
    const std::vector<cpm::GradCounts> counts = runner.collected();
    CHECK(tensors.size() == model.parameters().all().size() / 2 * 3);
    for (size_t i = 0; i < tensors.size(); ++i) {
      CAPTURE(tensors[i].name);
      CHECK(tensors[i].depth == static_cast<int>(i / 3) + 1);
      uint64_t linear = 0;
      for (const uint32_t n : counts[i].linear) linear += n;
      CHECK(linear == static_cast<uint64_t>(engine::Shape(tensors[i].shape).count()));
      if (tensors[i].kind == "activation") {
        CHECK(counts[i].update.weight == 0);
        continue;
      }
      const engine::Parameter& p = model.parameters().at(tensors[i].name);
      double weight = 0, change = 0;
      for (int64_t k = p.offset; k < p.offset + p.shape.count(); ++k) {
        const double was = old[static_cast<size_t>(k)], difference = before[static_cast<size_t>(k)] - was;
        weight += was * was;
        change += difference * difference;
      }
      CHECK(counts[i].update.weight == Approx(weight));
      CHECK(counts[i].update.change == Approx(change));
    }
  }
}

TEST_CASE("step runner: the gradient of an output is that of what the next layers read") {
  // A stage's belief maps: the last one's gradient is its loss's, (map - target) / N.
  cpm::Model model = tests::small_model({.stages = 2, .joints = 4, .width = 0.05}, engine::DType::F32);
  const auto batch = tests::small_batch({.n = 2, .joints = 4, .height = 16, .width = 16}, engine::DType::F32);
  tests::Cpu cpu;
  cpm::StepRunner runner(model, cpu.exec);
  runner.collect({.activations = true});
  const std::vector<std::vector<float>> maps = runner.beliefs(batch);
  runner.upload(batch);
  runner.launch({.collect = true});
  runner.wait();
  double sum = 0;
  const auto target = batch.targets.rest.span<float>();
  REQUIRE(!batch.targets.mask.defined());
  for (size_t i = 0; i < target.size(); ++i) {
    const double gradient = (static_cast<double>(maps.back()[i]) - target[i]) / 2;
    sum += gradient * gradient;
  }
  CHECK(runner.collected_tensors().back().name == "Mconv5_stage2.output");
  CHECK(runner.collected_tensors().back().shape == std::vector<int64_t>{2, 5, 2, 2});
  CHECK(runner.collected().back().stats.sum_squares == Approx(sum).epsilon(1e-5));
}

TEST_CASE("step runner: what is frozen or not computed counts as zeros, or not at all") {
  cpm::Model model = tests::small_model({.stages = 2, .joints = 4, .width = 0.05}, engine::DType::F32);
  const auto batch = tests::small_batch({.n = 1, .joints = 4, .height = 16, .width = 16}, engine::DType::F32);
  tests::Cpu cpu;
  cpm::StepRunner runner(model, cpu.exec);
  runner.collect({.activations = true});
  runner.upload(batch);
  for (const int stage : {2, 1}) {
    runner.launch({.supervision = cpm::Supervision::only(stage), .collect = true});
    runner.wait();
    const std::vector<cpm::GradTensor> tensors = runner.collected_tensors();
    const std::vector<cpm::GradCounts> counts = runner.collected();
    for (size_t i = 0; i < tensors.size(); ++i) {
      CAPTURE(stage, tensors[i].name);
      const int64_t elements = engine::Shape(tensors[i].shape).count();
      CHECK((counts[i].stats.sum_squares > 0) == (tensors[i].stage == stage));
      const bool unseen = tensors[i].kind == "activation";
      if (tensors[i].stage != stage) CHECK(counts[i].stats.zero == (unseen ? 0 : elements));
    }
  }
}
