// The network against the reference's list of layers, its losses, and its memory under guard bands.
#include "cpm/model.h"

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "tests/cpm/network_support.h"
#include "tests/support/gradcheck.h"

namespace {

using cpm::Model;
using cpm::Pooling;
using engine::Shape;
using engine::Tape;
using engine::Tensor;
using kernels::DType;

/// The convolutions of the reference network, in the order of its PyTorch module: name, out, in, kernel.
struct Convolution {
  std::string name;
  int64_t out, in, kernel;
};

std::vector<Convolution> reference_convolutions(int64_t maps) {
  std::vector<Convolution> list = {
      {"conv1_stage1", 128, 3, 9},    {"conv2_stage1", 128, 128, 9}, {"conv3_stage1", 128, 128, 9},
      {"conv4_stage1", 32, 128, 5},   {"conv5_stage1", 512, 32, 9},  {"conv6_stage1", 512, 512, 1},
      {"conv7_stage1", maps, 512, 1}, {"conv1_stage2", 128, 3, 9},   {"conv2_stage2", 128, 128, 9},
      {"conv3_stage2", 128, 128, 9},  {"conv4_stage2", 32, 128, 5}};
  for (const std::string stage : {"_stage2", "_stage3", "_stage4", "_stage5", "_stage6"}) {
    if (stage != "_stage2") list.push_back({"conv1" + stage, 32, 128, 5});
    list.push_back({"Mconv1" + stage, 128, 32 + maps + 1, 11});
    list.push_back({"Mconv2" + stage, 128, 128, 11});
    list.push_back({"Mconv3" + stage, 128, 128, 11});
    list.push_back({"Mconv4" + stage, 128, 128, 1});
    list.push_back({"Mconv5" + stage, maps, 128, 1});
  }
  return list;
}

/// Shapes of the belief maps for an input, from a dry run.
std::vector<Shape> belief_shapes(const Model& model, int64_t n, int64_t height, int64_t width) {
  tests::Engine engine(1, {});
  engine.arena.measure();
  Tape tape(engine.context, false);
  const DType dtype = model.parameters().dtype();
  std::vector<Shape> shapes;
  for (const auto& maps : model.forward(tape, Tensor::zeros({n, 3, height, width}, dtype),
                                        Tensor::zeros({n, 1, height, width}, dtype))) {
    shapes.push_back(maps.shape());
  }
  return shapes;
}

std::vector<float> copy(const Tensor& tensor) {
  const auto span = tensor.span<float>();
  return {span.begin(), span.end()};
}

/// The gradients of one step from memory in one block.
std::vector<float> runner_gradients(Model& model, const cpm::BatchTensors& batch, int threads) {
  tests::Cpu cpu(threads);
  cpu.exec.isa = kernels::best_isa();
  cpm::StepRunner runner(model, cpu.exec);
  for (int repeat = 0; repeat < 2; ++repeat) runner.gradients(batch);  // the second in used memory
  return copy(model.parameters().flat_grad());
}

}  // namespace

TEST_CASE("model: six stages have the reference's parameters, in its order") {
  const Model model({.stages = 6, .joints = 14}, DType::F32);
  const std::vector<Convolution> list = reference_convolutions(15);
  const auto& all = model.parameters().all();
  REQUIRE(all.size() == 2 * list.size());
  int64_t total = 0;
  for (size_t i = 0; i < list.size(); ++i) {
    const auto& [name, out, in, kernel] = list[i];
    CHECK(all[2 * i].name == name + ".weight");
    CHECK(all[2 * i].shape == Shape({out, in, kernel, kernel}));
    CHECK(all[2 * i + 1].name == name + ".bias");
    CHECK(all[2 * i + 1].shape == Shape({out}));
    total += out * in * kernel * kernel + out;
  }
  CHECK(total == 31219866);
  CHECK(model.parameters().count() == total);
}

TEST_CASE("model: every layer reads what the reference's layer reads") {
  std::map<std::string, std::vector<std::string>> inputs = {
      {"conv1_stage1", {"image"}},        {"pool1_stage1", {"conv1_stage1"}},
      {"conv2_stage1", {"pool1_stage1"}}, {"pool2_stage1", {"conv2_stage1"}},
      {"conv3_stage1", {"pool2_stage1"}}, {"pool3_stage1", {"conv3_stage1"}},
      {"conv4_stage1", {"pool3_stage1"}}, {"conv5_stage1", {"conv4_stage1"}},
      {"conv6_stage1", {"conv5_stage1"}}, {"conv7_stage1", {"conv6_stage1"}},
      {"conv1_stage2", {"image"}},        {"pool1_stage2", {"conv1_stage2"}},
      {"conv2_stage2", {"pool1_stage2"}}, {"pool2_stage2", {"conv2_stage2"}},
      {"conv3_stage2", {"pool2_stage2"}}, {"pool3_stage2", {"conv3_stage2"}},
      {"conv4_stage2", {"pool3_stage2"}}, {"pool_center_stage2", {"center"}}};
  for (int t = 2; t <= 6; ++t) {
    const std::string stage = "_stage" + std::to_string(t);
    const std::string features = (t == 2 ? "conv4" : "conv1") + stage;
    inputs[features] = {"pool3_stage2"};
    inputs["concat" + stage] = {features, "stage" + std::to_string(t - 1), "pool_center_stage2"};
    inputs["Mconv1" + stage] = {"concat" + stage};
    for (int i = 2; i <= 5; ++i) {
      inputs["Mconv" + std::to_string(i) + stage] = {"Mconv" + std::to_string(i - 1) + stage};
    }
  }
  const Model model({.stages = 6, .joints = 2, .width = 0.01}, DType::F32);
  CHECK(model.layers().size() == inputs.size());
  for (const cpm::Layer& layer : model.layers()) {
    CAPTURE(layer.name);
    CHECK(layer.inputs == inputs[layer.name]);
    const bool maps = layer.name == "conv7_stage1" || layer.name.substr(0, 6) == "Mconv5";
    CHECK(layer.output_maps == maps);
    CHECK(layer.output() == (maps ? "stage" + std::to_string(layer.stage) : layer.name));
    CHECK(layer.relu == (layer.kind == cpm::LayerKind::Conv && !maps));
  }
}

TEST_CASE("model: at 368 the belief maps are 46 x 46, and the step is known before it runs") {
  Model model({.stages = 6, .joints = 14}, DType::F32);
  CHECK(belief_shapes(model, 2, 368, 368) == std::vector<Shape>(6, Shape{2, 15, 46, 46}));
  tests::Cpu cpu;
  cpm::StepRunner runner(model, cpu.exec);
  const auto batch = tests::small_batch({.n = 1, .height = 368, .width = 368}, DType::F32);
  runner.prepare(batch, {}, false);
  const size_t inference = runner.arena_bytes();
  CHECK(runner.plan().lines().size() == 40);
  runner.prepare(batch, {}, true);
  // Both conv1 read the image, whose gradient nobody wants.
  CHECK(runner.plan().lines().size() == 40 + 40 + 38);
  // conv1's output and pool1's, 128 maps each, are needed at once.
  const size_t largest = size_t{4} * 128 * 368 * 368;
  // Without gradients each activation goes after its last reader; kept, they would take 3.9 times the
  // largest.
  INFO("inference " << inference << ", largest activation " << largest);
  CHECK(inference >= largest * 5 / 4);
  CHECK(inference <= largest * 7 / 4);
  // Training keeps pooled values and bytes for their places, not what a ReLU and a pooling layer read: about
  // 93 MB, and besides the largest gradient, or the second layer's spectra.
  CHECK(runner.arena_bytes() >= largest * 9 / 4);
  CHECK(runner.arena_bytes() <= largest * 13 / 4);
  CHECK(copy(model.parameters().flat_grad()) == std::vector<float>(model.parameters().flat_count()));
}

TEST_CASE("model: width scales inner channels, rounded to the nearest and at least one") {
  struct Case {
    double width;
    int64_t trunk, features, wide;
  };
  for (const Case& c : {Case{1, 128, 32, 512}, {1.0 / 16, 8, 2, 32}, {0.3, 38, 10, 154}, {0.001, 1, 1, 1}}) {
    const Model model({.stages = 2, .joints = 9, .width = c.width}, DType::F32);
    const auto shape = [&](const std::string& name) { return model.parameters().at(name + ".weight").shape; };
    CAPTURE(c.width);
    CHECK(shape("conv1_stage1") == Shape({c.trunk, 3, 9, 9}));
    CHECK(shape("conv4_stage1") == Shape({c.features, c.trunk, 5, 5}));
    CHECK(shape("conv6_stage1") == Shape({c.wide, c.wide, 1, 1}));
    CHECK(shape("conv7_stage1") == Shape({10, c.wide, 1, 1}));
    CHECK(shape("Mconv1_stage2") == Shape({c.trunk, c.features + 10 + 1, 11, 11}));
    CHECK(shape("Mconv5_stage2") == Shape({10, c.trunk, 1, 1}));
  }
}

TEST_CASE("model: belief maps are an eighth of the input with either pooling") {
  for (const auto pooling : {Pooling::Torch, Pooling::Caffe}) {
    const Model model({.stages = 2, .joints = 4, .width = 0.01, .pooling = pooling}, DType::F32);
    for (const int64_t height : {8, 16, 24, 40, 64, 104, 368, 1000}) {
      const int64_t width = height + 8;
      CAPTURE(height, static_cast<int>(pooling));
      CHECK(belief_shapes(model, 1, height, width) ==
            std::vector<Shape>(2, Shape{1, 5, height / 8, width / 8}));
    }
  }
}

TEST_CASE("model: initial weights have the asked-for spread and depend on the seed alone") {
  Model model({.stages = 2, .joints = 14, .width = 0.5}, DType::F32);
  const auto spread = [&](const std::string& name) {
    double squares = 0;
    const auto values = model.parameters().at(name).value.span<float>();
    for (const float v : values) squares += static_cast<double>(v) * v;
    return std::sqrt(squares / static_cast<double>(values.size()));
  };
  model.initialise("he", 7);
  const std::vector<float> first = copy(model.parameters().flat_value());
  const double he = std::sqrt(2.0 / (64 * 81));
  CHECK(std::fabs(spread("conv2_stage1.weight") / he - 1) < 0.01);
  CHECK(std::fabs(spread("Mconv5_stage2.weight") / 0.01 - 1) < 0.1);
  CHECK(spread("conv2_stage1.bias") == 0);
  model.initialise("he", 8);
  CHECK(copy(model.parameters().flat_value()) != first);
  model.initialise("he", 7);
  CHECK(copy(model.parameters().flat_value()) == first);
  model.initialise("gaussian", 7);
  CHECK(std::fabs(spread("conv2_stage1.weight") / 0.01 - 1) < 0.01);
}

TEST_CASE("model: nothing reads what was not written or writes outside its block") {
  for (const auto pooling : {Pooling::Torch, Pooling::Caffe}) {
    Model model =
        tests::small_model({.stages = 2, .joints = 14, .width = 0.125, .pooling = pooling}, DType::F32);
    const auto batch = tests::small_batch({.height = 40, .width = 56, .mask = true}, DType::F32);
    for (float& g : model.parameters().flat_grad().span<float>()) g = std::nanf("");
    tests::Engine engine;
    engine.context.exec.isa = kernels::best_isa();
    {
      Tape tape(engine.context);
      std::vector<engine::Variable> losses;
      {
        const auto beliefs = model.forward(tape, batch.image, batch.center);
        for (const auto& maps : beliefs) {
          for (const float v : maps.value.span<float>()) REQUIRE(std::isfinite(v));
        }
        losses = cpm::stage_losses(tape, beliefs, batch.targets);
      }
      CHECK(engine.arena.live_blocks() > 20);
      cpm::backward_losses(tape, losses, {});
    }
    CHECK(engine.arena.live_blocks() == 0);
    CHECK(engine.arena.guard_violations() == 0);
    std::vector<std::vector<float>> guarded;
    for (const auto& p : model.parameters().all()) {
      guarded.push_back(copy(p.grad));
      CAPTURE(p.name);
      for (const float g : guarded.back()) REQUIRE(std::isfinite(g));
    }
    // Blocks that share one reserved piece of memory give the same gradients: none is reused too early.
    runner_gradients(model, batch, 2);
    for (size_t i = 0; i < guarded.size(); ++i) {
      CAPTURE(model.parameters().all()[i].name);
      CHECK(tests::same_bits(guarded[i], copy(model.parameters().all()[i].grad)));
    }
  }
}

TEST_CASE("model: gradients have the same bits for 1, 2 and 3 threads") {
  Model model = tests::small_model({.stages = 3, .joints = 14, .width = 0.125}, DType::F32);
  const auto batch = tests::small_batch({.n = 3, .height = 64, .width = 48}, DType::F32);
  const std::vector<float> one = runner_gradients(model, batch, 1);
  CHECK(tests::same_bits(one, runner_gradients(model, batch, 2)));
  CHECK(tests::same_bits(one, runner_gradients(model, batch, 3)));
}

TEST_CASE("model: a stage's loss is the masked squared error of its maps over twice the batch") {
  Model model = tests::small_model({.stages = 3, .joints = 4, .width = 0.05}, DType::F32);
  const auto batch = tests::small_batch({.n = 3, .joints = 4, .mask = true}, DType::F32);
  tests::Cpu cpu;
  cpm::StepRunner runner(model, cpu.exec);
  const std::vector<std::vector<float>> beliefs = runner.beliefs(batch);
  const std::vector<double> losses = runner.gradients(batch).stage_losses;
  REQUIRE(losses.size() == 3);
  for (size_t t = 0; t < 3; ++t) {
    // Stage 1 is to see all people, the later ones the centre person.
    const auto target = (t == 0 ? batch.targets.stage1 : batch.targets.rest).span<float>();
    const size_t cells = 4 * 6;
    double sum = 0;
    for (size_t i = 0; i < target.size(); ++i) {
      const double difference = static_cast<double>(beliefs[t][i]) - static_cast<double>(target[i]);
      sum += static_cast<double>(batch.targets.mask.span<float>()[i / cells]) * difference * difference;
    }
    CHECK(std::fabs(losses[t] / (sum / 6) - 1) < 1e-6);
  }
}

TEST_CASE("model: the last stage alone, or every stage, is differentiated") {
  Model model = tests::small_model({.stages = 2, .joints = 4, .width = 0.05}, DType::F64);
  const auto batch = tests::small_batch({.n = 1, .joints = 4, .height = 16, .width = 16}, DType::F64);
  tests::Cpu cpu;
  cpm::StepRunner runner(model, cpu.exec);
  const auto all = runner.gradients(batch),
             last = runner.gradients(batch, cpm::Supervision::last_only(model.stages()));
  REQUIRE(all.stage_losses.size() == 2);
  CHECK(all.stage_losses == last.stage_losses);
  CHECK(all.loss == all.stage_losses[0] + all.stage_losses[1]);
  CHECK(last.loss == all.stage_losses[1]);
  CHECK(all.non_finite == 0);
  double squares = 0;
  for (const double g : model.parameters().flat_grad().span<double>()) squares += g * g;
  CHECK(std::fabs(last.grad_norm - std::sqrt(squares)) <= 1e-12 * last.grad_norm);
  CHECK(all.grad_norm != last.grad_norm);
}
