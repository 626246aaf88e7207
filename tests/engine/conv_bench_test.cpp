// The benchmark's check finds wrong rows before they get a time, and its numbers follow from its samples.
#include "engine/tune/conv_bench.h"

#include <cmath>
#include <limits>

#include "engine/tune/conv_check.h"
#include "engine/tune/conv_data.h"
#include "tests/support/conv2d_cases.h"
#include "tests/support/cpu_kernels.h"

namespace {

using namespace tests;
using kernels::ConvOperands;
using kernels::ConvProblem;
using kernels::ConvRow;
using kernels::Direction;
using kernels::Exec;
using kernels::GradMode;

/// The CPU's last row.
const ConvRow<float>& oracle() {
  const ConvRow<float>* last = nullptr;
  for (const ConvRow<float>& row : kernels::conv_rows<float>()) {
    if (row.backend == kernels::Backend::Cpu) last = &row;
  }
  REQUIRE(last != nullptr);
  return *last;
}

/// Sizes with an output of more elements than are sampled, in every direction.
const ConvProblem kLarge{
    .N = 2, .C = 20, .H = 17, .W = 19, .K = 24, .R = 3, .S = 3, .pad_h = 1, .pad_w = 1, .stride = 1};
const ConvProblem kStrided{
    .N = 2, .C = 3, .H = 11, .W = 8, .K = 4, .R = 3, .S = 2, .pad_h = 2, .pad_w = 1, .stride = 2};

enum class Fault { None, OneUnwritten, Scaled, Shifted };

template <Fault kFault>
void run(const Exec& exec, const ConvProblem& problem, Direction direction,
         const ConvOperands<float>& operands, GradMode mode) {
  float* const out = operands.output(direction);
  const int64_t size = engine::output_size(problem, direction);
  const float last = out[size - 1];
  oracle().run(exec, problem, direction, operands, mode);
  if (kFault == Fault::OneUnwritten) out[size - 1] = last;
  if (kFault == Fault::Shifted) std::rotate(out, out + 1, out + size);
  for (int64_t i = 0; kFault == Fault::Scaled && i < size; ++i) out[i] *= 1.00001f;
}

template <Fault kFault>
ConvRow<float> row(const char* name) {
  ConvRow<float> result = oracle();
  result.name = name;
  result.run = run<kFault>;
  return result;
}

double half_flops(const Exec&, const ConvProblem& problem, Direction) {
  return problem.macs();
}

}  // namespace

TEST_CASE("conv check: expects what seven loops give, everywhere it looks") {
  Cpu cpu;
  for (const ConvProblem& problem : {kLarge, kStrided}) {
    for (const Direction direction : kDirections) {
      CAPTURE(kernels::direction_name(direction), kernels::to_string(problem));
      const ConvData<float> data = tests::random_data<float>(problem, 3);
      const ConvOperands<float> host{
          .x = data.x.data(), .w = data.w.data(), .b = data.b.data(), .dy = data.dy.data()};
      const engine::ConvCheck check(cpu.pool, problem, direction, host, 5);
      const std::vector<double> exact = naive_conv(data, direction, true);
      std::vector<float> output(exact.begin(), exact.end());
      CHECK(check.error(output) < 1e-7);
      CHECK(check.error(output) > 0);
      for (float& value : output) value = -value;
      CHECK(std::abs(check.error(output) - 2) < 1e-6);
      output[output.size() / 2] = std::numeric_limits<float>::infinity();
      CHECK(std::isnan(check.error(output)));
    }
  }
}

TEST_CASE("conv check: a single wrong element of a small output is found") {
  Cpu cpu;
  const ConvData<float> data = tests::random_data<float>(kStrided, 3);
  const ConvOperands<float> host{.x = data.x.data(), .w = data.w.data(), .b = data.b.data()};
  const engine::ConvCheck check(cpu.pool, kStrided, Direction::Fprop, host, 5);
  const std::vector<double> exact = naive_conv(data, Direction::Fprop, true);
  for (size_t i = 0; i < exact.size(); ++i) {
    std::vector<float> output(exact.begin(), exact.end());
    output[i] += 1e-3f;
    REQUIRE(check.error(output) > check.bound());
  }
}

TEST_CASE("conv check: the bound grows with the root of the terms") {
  Cpu cpu;
  const ConvProblem wide{.N = 1, .C = 128, .H = 1, .W = 1, .K = 1, .R = 11, .S = 11, .pad_h = 5, .pad_w = 5};
  const ConvData<float> data = tests::random_data<float>(wide, 3);
  const ConvOperands<float> host{
      .x = data.x.data(), .w = data.w.data(), .b = data.b.data(), .dy = data.dy.data()};
  CHECK(std::abs(engine::ConvCheck(cpu.pool, wide, Direction::Fprop, host, 1).bound() -
                 3e-8 * std::sqrt(15488)) < 1e-12);
  CHECK(engine::ConvCheck(cpu.pool, wide, Direction::Wgrad, host, 1).bound() == 1e-6);
}

TEST_CASE("conv bench: wrong rows get no time") {
  Cpu cpu(1);
  const ConvRow<float> good = row<Fault::None>("good"), unwritten = row<Fault::OneUnwritten>("unwritten"),
                       scaled = row<Fault::Scaled>("scaled"), shifted = row<Fault::Shifted>("shifted");
  const std::vector<const ConvRow<float>*> rows = {&unwritten, &good, &scaled, &shifted};
  for (const Direction direction : kDirections) {
    CAPTURE(kernels::direction_name(direction));
    const auto results =
        engine::bench_conv(cpu.exec, kLarge, direction, rows, &good, {.samples = 1, .seconds = 0});
    REQUIRE(results.size() == 4);
    for (size_t i = 0; i < rows.size(); ++i) {
      CAPTURE(rows[i]->name, results[i].error);
      CHECK(results[i].row == rows[i]);
      CHECK(results[i].right() == (rows[i] == &good));
      CHECK(results[i].stats.has_value() == (rows[i] == &good));
      CHECK(results[i].ratio.has_value() == (rows[i] == &good));
      CHECK(results[i].samples.seconds.empty() == (rows[i] != &good));
    }
    CHECK(std::isnan(results[0].error));
    CHECK(std::abs(results[2].error - 1e-5) < 1e-6);
  }
}

TEST_CASE("conv bench: rates, ratios and counts follow from the samples") {
  Cpu cpu;
  ConvRow<float> saving = row<Fault::None>("saving");
  saving.executed_flops = half_flops;
  const std::vector<const ConvRow<float>*> rows = {&saving, &oracle()};
  const auto results =
      engine::bench_conv(cpu.exec, kStrided, Direction::Fprop, rows, &oracle(), {.samples = 3});
  REQUIRE(results.size() == 2);
  CHECK(results[0].effective_flops == 2 * kStrided.macs());
  CHECK(results[0].executed_flops == kStrided.macs());
  CHECK(results[1].executed_flops == 2 * kStrided.macs());
  CHECK(results[0].bytes == 4.0 * (2 * 3 * 11 * 8 + 4 * 3 * 3 * 2 + 2 * 4 * 7 * 5));
  REQUIRE(results[0].samples.seconds.size() == results[1].samples.seconds.size());
  CHECK(results[0].samples.seconds.size() >= 3);
  CHECK(results[0].samples.seconds.size() <= 9);
  for (const auto& result : results) {
    REQUIRE(result.stats);
    CHECK(result.stats->min > 0);
    CHECK(result.calls > 1);
    CHECK_FALSE(result.warm_median);
    CHECK(*result.ratio == results[1].stats->median / result.stats->median);
    CHECK(*result.ratio_low <= *result.ratio_high);
  }
  CHECK(*results[1].ratio == 1);
  const auto checked =
      engine::bench_conv(cpu.exec, kStrided, Direction::Fprop, rows, &oracle(), {.time = false});
  CHECK(checked[0].right());
  CHECK_FALSE(checked[0].stats);
  CHECK(checked[0].samples.seconds.empty());
}

TEST_CASE("conv data: the same numbers for any number of threads, poisoned output") {
  Cpu one(1), three(3);
  engine::ConvData a(one.exec, kLarge, Direction::Wgrad, 9), b(three.exec, kLarge, Direction::Wgrad, 9);
  CHECK(a.host().w == nullptr);
  CHECK(a.output_size() == kLarge.w_size());
  const auto values = [](const float* data, int64_t size) { return std::vector<float>(data, data + size); };
  CHECK(same_bits(values(a.host().x, kLarge.x_size()), values(b.host().x, kLarge.x_size())));
  CHECK(same_bits(values(a.host().dy, kLarge.y_size()), values(b.host().dy, kLarge.y_size())));
  CHECK_FALSE(values(a.host().x, 100) == values(a.host().dy, 100));
  a.poison_output();
  for (int64_t i = 0; i < a.output_size(); ++i) REQUIRE(std::isnan(a.fetch_output()[i]));
}
