// The optimiser against the formulas of optim.h written as plain recurrences, over a store of several
// parameters with scales of their own.
#include "engine/optim/optimizer.h"

#include <cmath>
#include <string>
#include <vector>

#include "tests/support/cpu_kernels.h"
#include "tests/support/temp_folder.h"

using engine::Optimizer;
using engine::OptimizerOptions;
using engine::ParameterScale;
using engine::ParameterStore;
using engine::Tensor;
using kernels::DType;

namespace {

constexpr int kSteps = 6;

ParameterStore make_store() {
  ParameterStore store(DType::F32);
  store.add("a.weight", {2, 3, 1, 1});
  store.add("a.bias", {5});
  store.add("b.weight", {3, 1, 3, 3});
  store.allocate();
  engine::fill_normal(store.flat_value(), 1, 3, 0);
  return store;
}

void set_gradient(const ParameterStore& store, int step) {
  engine::fill_normal(store.flat_grad(), 0.5, 4, static_cast<uint64_t>(step));
}

std::vector<float> copy(const Tensor& tensor) {
  const auto span = tensor.span<float>();
  return {span.begin(), span.end()};
}

const std::vector<ParameterScale> kScales = {{1, 1}, {2, 0}, {5, 0.5}};

double rate_of(int step) {
  return 0.01 * (1 + step);
}

/// One number's history: the same formulas, in float.
struct Number {
  float w = 0, m = 0, v = 0;

  void sgd(float g, float lr, float momentum, float decay, bool first) {
    g += decay * w;
    m = first ? g : momentum * m + g;
    w -= lr * m;
  }

  void adam(float g, double lr, const OptimizerOptions& o, float decay, int step) {
    g += decay * w;
    m += static_cast<float>(1 - o.beta1) * (g - m);
    v = static_cast<float>(o.beta2) * v + static_cast<float>(1 - o.beta2) * g * g;
    const auto rate = static_cast<float>(lr / (1 - std::pow(o.beta1, step)));
    const auto root = static_cast<float>(std::sqrt(1 - std::pow(o.beta2, step)));
    w -= rate * m / (std::sqrt(v) / root + static_cast<float>(o.eps));
  }
};

/// Runs both and compares every weight after every step.
template <class Step>
void compare(const OptimizerOptions& options, Step step_number) {
  tests::Cpu cpu;
  ParameterStore store = make_store();
  Optimizer optimizer(store, options, kScales);
  std::vector<Number> numbers(static_cast<size_t>(store.flat_count()));
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i].w = copy(store.flat_value())[i];
  for (int step = 1; step <= kSteps; ++step) {
    set_gradient(store, step);
    const std::vector<float> gradient = copy(store.flat_grad());
    optimizer.step(cpu.exec, rate_of(step));
    CHECK(optimizer.steps() == step);
    CHECK(copy(store.flat_grad()) == gradient);
    for (size_t p = 0; p < kScales.size(); ++p) {
      const engine::Parameter& parameter = store.all()[p];
      for (int64_t i = parameter.offset; i < parameter.offset + parameter.shape.count(); ++i) {
        Number& number = numbers[static_cast<size_t>(i)];
        step_number(number, gradient[static_cast<size_t>(i)], rate_of(step) * kScales[p].lr,
                    static_cast<float>(options.weight_decay * kScales[p].decay), step);
        CAPTURE(parameter.name, i, step);
        REQUIRE(store.flat_value().data<float>()[i] == number.w);
      }
    }
  }
}

}  // namespace

TEST_CASE("optimizer: SGD with momentum is the plain recurrence, bit for bit") {
  const OptimizerOptions options{.kind = OptimizerOptions::Kind::Sgd, .momentum = 0.9, .weight_decay = 0.01};
  compare(options, [&](Number& n, float g, double lr, float decay, int step) {
    n.sgd(g, static_cast<float>(lr), 0.9f, decay, step == 1);
  });
}

TEST_CASE("optimizer: Adam is the plain recurrence, bit for bit") {
  const OptimizerOptions options{.kind = OptimizerOptions::Kind::Adam, .weight_decay = 0.01};
  compare(options,
          [&](Number& n, float g, double lr, float decay, int step) { n.adam(g, lr, options, decay, step); });
}

TEST_CASE("optimizer: a parameter's multiplier scales its step, its decay switch turns decay off") {
  tests::Cpu cpu;
  ParameterStore store = make_store();
  for (float& w : store.flat_value().span<float>()) w = 1;
  for (float& g : store.flat_grad().span<float>()) g = 0;
  store.at("a.bias").grad.data<float>()[0] = 1;
  store.at("b.weight").grad.data<float>()[0] = 1;
  Optimizer optimizer(store, {.kind = OptimizerOptions::Kind::Sgd, .momentum = 0, .weight_decay = 0.5},
                      {{0, 1}, {2, 0}, {4, 1}});
  optimizer.step(cpu.exec, 0.125);
  CHECK(copy(store.at("a.weight").value) == std::vector<float>(6, 1.0f));  // multiplier 0: does not move
  CHECK(copy(store.at("a.bias").value) == std::vector<float>{0.75f, 1, 1, 1, 1});
  CHECK(store.at("b.weight").value.data<float>()[0] == 1 - 0.5f * 1.5f);
  CHECK(store.at("b.weight").value.data<float>()[1] == 1 - 0.5f * 0.5f);
}

TEST_CASE("optimizer: state by name, one number per weight, and a resumed step equals a continued one") {
  tests::Cpu cpu;
  for (const auto kind : {OptimizerOptions::Kind::Sgd, OptimizerOptions::Kind::Adam}) {
    const bool adam = kind == OptimizerOptions::Kind::Adam;
    ParameterStore store = make_store(), other = make_store();
    Optimizer first(store, {.kind = kind}, kScales), second(other, {.kind = kind}, kScales);
    const auto step = [&](const ParameterStore& s, Optimizer& o, int number) {
      set_gradient(s, number);
      o.step(cpu.exec, 0.01);
    };
    for (int number = 1; number <= 3; ++number) step(store, first, number);
    std::vector<std::string> names;
    for (size_t i = 0; i < first.state().size(); ++i) {
      const auto [name, from] = first.state()[i];
      names.push_back(name);
      CHECK(from.count() == store.flat_count());
      engine::assign<float>(second.state()[i].second, from.span<float>());
    }
    CHECK(names ==
          (adam ? std::vector<std::string>{"adam_m", "adam_v"} : std::vector<std::string>{"momentum"}));
    CHECK(first.state_bytes() == static_cast<size_t>(store.flat_count()) * 4 * (adam ? 2 : 1));
    engine::assign<float>(other.flat_value(), store.flat_value().span<float>());
    second.set_steps(first.steps());
    step(store, first, 4);
    step(other, second, 4);
    CHECK(second.steps() == 4);
    CHECK(copy(store.flat_value()) == copy(other.flat_value()));
  }
}

TEST_CASE("optimizer: a step in two halves equals a step") {
  tests::Cpu cpu;
  for (const auto kind : {OptimizerOptions::Kind::Sgd, OptimizerOptions::Kind::Adam}) {
    ParameterStore store = make_store(), other = make_store();
    Optimizer whole(store, {.kind = kind}, kScales), halves(other, {.kind = kind}, kScales);
    std::vector<std::byte> segments(halves.segments_bytes());
    for (int step = 1; step <= 3; ++step) {
      set_gradient(store, step);
      set_gradient(other, step);
      whole.step(cpu.exec, rate_of(step));
      halves.prepare(rate_of(step), segments.data());
      CHECK(halves.steps() == step);
      halves.launch(cpu.exec, segments.data());
      CHECK(copy(store.flat_value()) == copy(other.flat_value()));
    }
  }
}

TEST_CASE("optimizer: what does not learn keeps its bits, what begins later begins at step 1") {
  tests::Cpu cpu;
  for (const auto kind : {OptimizerOptions::Kind::Sgd, OptimizerOptions::Kind::Adam}) {
    const OptimizerOptions options{.kind = kind, .momentum = 0.9, .weight_decay = 0.01};
    ParameterStore store = make_store(), fresh_store = make_store();
    Optimizer late(store, options, kScales), fresh(fresh_store, options, kScales);
    const auto values_at = [](const ParameterStore& s, const Tensor& flat, size_t parameter) {
      const engine::Parameter& p = s.all()[parameter];
      return copy(engine::slice_of(flat, p.offset, p.shape));
    };
    late.learn({true, true, false}, 0);
    for (int step = 1; step <= 3; ++step) {
      set_gradient(store, step);
      late.step(cpu.exec, rate_of(step));
    }
    CHECK(values_at(store, store.flat_value(), 2) == values_at(fresh_store, fresh_store.flat_value(), 2));
    for (const auto& [name, state] : late.state()) {
      for (const float value : values_at(store, state, 2)) CHECK(value == 0);
    }
    const std::vector<float> first = values_at(store, store.flat_value(), 0);
    CHECK(first != values_at(fresh_store, fresh_store.flat_value(), 0));
    late.learn({false, false, true}, 3);
    for (int step = 1; step <= 3; ++step) {
      set_gradient(store, step);
      set_gradient(fresh_store, step);
      late.step(cpu.exec, rate_of(step));
      fresh.step(cpu.exec, rate_of(step));
    }
    CHECK(late.steps() == 6);
    CHECK(values_at(store, store.flat_value(), 2) == values_at(fresh_store, fresh_store.flat_value(), 2));
    for (size_t i = 0; i < late.state().size(); ++i) {
      CHECK(values_at(store, late.state()[i].second, 2) ==
            values_at(fresh_store, fresh.state()[i].second, 2));
    }
    CHECK(values_at(store, store.flat_value(), 0) == first);
    CHECK(tests::thrown_by([&] { late.learn({true}, 0); }).code == kernels::ExitCode::Internal);
    CHECK(tests::thrown_by([&] { late.learn({true, true, true}, 7); }).code == kernels::ExitCode::Internal);
  }
}

TEST_CASE("optimizer: a scale is missing") {
  ParameterStore store = make_store();
  CHECK(tests::thrown_by([&] { Optimizer(store, {}, {{1, 1}}); }).code == kernels::ExitCode::Internal);
}
