// The gradients of a whole two-stage network, as training computes them, against central differences in
// double, for every parameter tensor. To see every ReLU and every pooling window the test walks the layer
// table itself; its belief maps are the model's own to the last bit.
#include <fmt/format.h>

#include <map>

#include "tests/cpm/network_support.h"
#include "tests/support/gradcheck.h"

namespace {

using cpm::Layer;
using cpm::LayerKind;
using engine::Tape;
using engine::Variable;
using kernels::DType;
using kernels::PoolRounding;

constexpr int kDirections = 8;
// The loss is piecewise quadratic in each tensor (gradcheck.h): no truncation. What rounding leaves shrinks
// with the step (1e-6 is just too small for the faintest gradient, of norm 0.1), crossed kinks grow with it
// (of 256 directions 9 at 1e-5, 121 at 1e-4).
constexpr double kStep = 1e-5;

struct Walked {
  std::vector<Variable> beliefs;
  tests::Kinks kinks;
};

Walked walk(Tape& tape, const cpm::Model& model, const cpm::BatchTensors& batch) {
  const bool torch = model.info().pooling == cpm::Pooling::Torch;
  const int64_t pad = torch ? 1 : 0;
  const auto rounding = torch ? PoolRounding::Floor : PoolRounding::Ceil;
  std::map<std::string, Variable> values = {{"image", tape.constant(batch.image)},
                                            {"center", tape.constant(batch.center)}};
  Walked result;
  for (const Layer& layer : model.layers()) {
    std::vector<Variable> inputs;
    for (const std::string& name : layer.inputs) inputs.push_back(values.at(name));
    Variable& y = values[layer.output()];
    if (layer.kind == LayerKind::Conv) {
      const auto& w = model.parameters().at(layer.name + ".weight");
      const auto& b = model.parameters().at(layer.name + ".bias");
      y = engine::ops::conv2d(tape, inputs[0], tape.constant(w.value), tape.constant(b.value),
                              {layer.name, layer.padding(), layer.padding()});
      if (layer.relu) {
        y = engine::ops::relu(tape, y);
        result.kinks.relu(y.value);
      }
      if (layer.output_maps) result.beliefs.push_back(y);
    } else if (layer.kind == LayerKind::Concat) {
      y = engine::ops::concat(tape, inputs);
    } else if (layer.kind == LayerKind::CenterPool) {
      y = engine::ops::avg_pool2d(tape, inputs[0], {9, 8, pad, rounding});
    } else {
      result.kinks.max_pool(inputs[0].value, {3, 2, pad, rounding});
      y = engine::ops::max_pool2d(tape, inputs[0], {3, 2, pad, rounding});
    }
  }
  return result;
}

class ModelGradcheck {
 public:
  explicit ModelGradcheck(cpm::Pooling pooling)
      : model_(tests::small_model({.stages = 2, .joints = 14, .width = 1.0 / 16, .pooling = pooling},
                                  DType::F64)),
        batch_(tests::small_batch({.mask = true}, DType::F64)) {}

  void run(int directions) {
    const auto supervised = gradients({}), last_alone = gradients(cpm::Supervision::last_only(2));
    check_walk();
    int checked = 0, skipped = 0;
    const auto& all = model_.parameters().all();
    for (size_t i = 0; i < all.size(); ++i) {
      const tests::Checked tensor{all[i].name, all[i].value, {supervised[i], last_alone[i]}};
      const auto result = tests::check_directions(tensor, directions, kStep, [&] { return evaluate(); });
      checked += result.checked;
      skipped += result.skipped;
    }
    fmt::print("model gradcheck: {} directions checked, {} crossed a kink\n", checked, skipped);
    CHECK(checked + skipped == 32 * directions);
    CHECK(checked * 10 >= 32 * directions * 9);
  }

 private:
  std::vector<std::vector<double>> gradients(const cpm::Supervision& supervision) {
    cpm::StepRunner runner(model_, engine_.cpu.exec);
    runner.gradients(batch_, supervision);
    std::vector<std::vector<double>> result;
    for (const auto& p : model_.parameters().all()) {
      const auto grad = p.grad.span<double>();
      result.emplace_back(grad.begin(), grad.end());
    }
    return result;
  }

  /// The sum of all stages' losses and the last one's.
  tests::Evaluation evaluate() {
    Tape tape(engine_.context, false);
    const Walked walked = walk(tape, model_, batch_);
    const auto losses = cpm::stage_losses(tape, walked.beliefs, batch_.targets);
    const double first = *losses[0].value.data<double>(), last = *losses[1].value.data<double>();
    return {{first + last, last}, walked.kinks};
  }

  void check_walk() {
    Tape tape(engine_.context, false);
    const Walked walked = walk(tape, model_, batch_);
    const std::vector<Variable> beliefs = model_.forward(tape, batch_.image, batch_.center);
    REQUIRE(beliefs.size() == 2);
    for (size_t t = 0; t < 2; ++t) {
      const auto a = walked.beliefs[t].value.span<double>(), b = beliefs[t].value.span<double>();
      REQUIRE(std::equal(a.begin(), a.end(), b.begin(), b.end()));
    }
  }

  tests::Engine engine_;
  cpm::Model model_;
  cpm::BatchTensors batch_;
};

}  // namespace

TEST_CASE("model gradcheck: every parameter of two stages, with and without intermediate supervision") {
  ModelGradcheck(cpm::Pooling::Torch).run(kDirections);
}

TEST_CASE("model gradcheck: the release's pooling") {
  ModelGradcheck(cpm::Pooling::Caffe).run(1);
}
