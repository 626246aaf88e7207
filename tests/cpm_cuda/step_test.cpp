// Whole training steps on CUDA: the CPU's numbers to rounding, the same bits from run to run, recorded or
// not.
#include <cmath>
#include <cstring>
#include <optional>

#include "cpm/dataset/dataset.h"
#include "cpm/step_runner.h"
#include "engine/nn/named_fill.h"
#include "tests/support/cuda_device.h"
#include "tests/support/golden.h"

namespace {

using cpm::Model;
using cpm::StepRunner;
using engine::DType;
using engine::Tensor;
using namespace tests;
using tests::golden::relative_l2;

constexpr int kJoints = 3, kSide = 32;

cpm::BatchTensors batch_of(int64_t index, int n) {
  cpm::Batch batch;
  batch.n = n;
  batch.joints = kJoints;
  batch.height = batch.width = kSide;
  const int64_t pixels = int64_t{n} * kSide * kSide;
  const std::string tag = "step" + std::to_string(index);
  batch.image = engine::named_fill(tag + "/image", 3 * pixels, -0.5, 0.5);
  batch.center = engine::named_fill(tag + "/center", pixels, 0, 1);
  batch.target_rest = engine::named_fill(tag + "/rest", pixels / 64 * (kJoints + 1), 0, 1);
  batch.target_stage1 = engine::named_fill(tag + "/first", pixels / 64 * (kJoints + 1), 0, 1);
  batch.mask.assign(static_cast<size_t>(n) * (kJoints + 1), 1.0f);
  batch.mask[1] = 0;
  return cpm::to_tensors(std::move(batch), DType::F32);
}

struct Training {
  std::vector<double> losses, norms;
  std::vector<float> weights;
  int64_t replays = 0;
};

struct Choice {
  cpm::Pooling pooling = cpm::Pooling::Torch;
  bool record = true, overlap = true;
  engine::OptimizerOptions::Kind optimizer = engine::OptimizerOptions::Kind::Adam;
  std::vector<cpm::Supervision> periods = {{}};  // of equal lengths
};

/// Steps of a small network, the next batch uploaded while a step runs.
Training train(const kernels::Exec& exec, int steps, const Choice& choice) {
  Model model({.stages = 2, .joints = kJoints, .width = 0.0625, .pooling = choice.pooling}, DType::F32,
              engine::Place(exec));
  engine::named_fill(model.parameters(), "cuda");
  engine::Optimizer optimizer(model.parameters(), {.kind = choice.optimizer, .weight_decay = 1e-4},
                              std::vector<engine::ParameterScale>(model.parameters().all().size()));
  StepRunner runner(model, exec, choice.record);
  Training result;
  runner.upload(batch_of(0, 2));
  for (int step = 0; step < steps; ++step) {
    const int length = steps / static_cast<int>(choice.periods.size());
    const cpm::Supervision& supervision = choice.periods[static_cast<size_t>(step / length)];
    if (step % length == 0) optimizer.learn(cpm::learning_parameters(model, supervision), step);
    runner.launch({.supervision = supervision, .optimizer = &optimizer, .lr = 1e-4 * (1 + step)});
    if (choice.overlap) runner.upload(batch_of(step + 1, 2));
    const cpm::StepResult made = runner.wait();
    if (!choice.overlap) runner.upload(batch_of(step + 1, 2));
    for (const double loss : made.stage_losses) {
      if (!std::isnan(loss)) result.losses.push_back(loss);  // of a stage that was computed
    }
    result.norms.push_back(made.grad_norm);
    CHECK(made.non_finite == 0);
  }
  result.replays = runner.replays();
  const Tensor values = engine::to_host(model.parameters().flat_value());
  result.weights.assign(values.span<float>().begin(), values.span<float>().end());
  return result;
}

void check_close(const std::vector<double>& got, const std::vector<double>& want, double bound) {
  REQUIRE(got.size() == want.size());
  for (size_t i = 0; i < want.size(); ++i) {
    CAPTURE(i, got[i], want[i]);
    CHECK(std::abs(got[i] - want[i]) <= bound * want[i]);
  }
}

}  // namespace

namespace {

void check_training(int steps, const Choice& choice) {
  CudaDevice cuda;
  Cpu cpu;
  const Training host = train(cpu.exec, steps, choice), device = train(cuda.exec, steps, choice);
  CHECK(device.replays == (choice.record ? steps - static_cast<int>(choice.periods.size()) : 0));
  check_close(device.losses, host.losses, 1e-5);
  check_close(device.norms, host.norms, 1e-4);
  Choice plain = choice;
  plain.record = plain.overlap = false;
  const Training unrecorded = train(cuda.exec, steps, plain);
  CHECK(unrecorded.replays == 0);
  CHECK(unrecorded.losses == device.losses);
  CHECK(same_bits(unrecorded.weights, device.weights));
}

}  // namespace

TEST_CASE("cuda training steps: as the CPU, the same bits recorded or not", "[unchecked]") {
  check_training(10, {});
  check_training(10, {.pooling = cpm::Pooling::Caffe,
                      .optimizer = engine::OptimizerOptions::Kind::Sgd,
                      .periods = {cpm::Supervision::last_only(2)}});
}

TEST_CASE("cuda training stage by stage: the recorded step changes with the stage that learns",
          "[unchecked]") {
  check_training(6, {.periods = {cpm::Supervision::only(1), cpm::Supervision::only(2)}});
  // Gradients go through a frozen stage, and one of the losses has a weight.
  cpm::Supervision through;
  through.weights = {0.5, 1, 0, 0, 0, 0};
  through.frozen[1] = true;
  check_training(4, {.periods = {through}});
}

TEST_CASE("cuda training steps under the checkers", "[checked]") {
  check_training(2, {});
  check_training(2, {.record = false, .periods = {cpm::Supervision::only(1), cpm::Supervision::only(2)}});
}

TEST_CASE("cuda runner: another optimiser at the same address is not the recorded one", "[unchecked]") {
  CudaDevice cuda;
  Cpu cpu;
  using Options = engine::OptimizerOptions;
  const auto weights = [](const kernels::Exec& exec) {
    Model model({.stages = 2, .joints = kJoints, .width = 0.0625}, DType::F32, engine::Place(exec));
    engine::named_fill(model.parameters(), "cuda");
    StepRunner runner(model, exec);
    std::optional<engine::Optimizer> optimizer;
    for (const double momentum : {0.0, 0.9}) {
      optimizer.emplace(model.parameters(), Options{.kind = Options::Kind::Sgd, .momentum = momentum},
                        std::vector<engine::ParameterScale>(model.parameters().all().size()));
      for (int step = 0; step < 3; ++step) {
        runner.upload(batch_of(step, 1));
        runner.launch({.optimizer = &*optimizer, .lr = 1e-4});
        runner.wait();
      }
    }
    const Tensor values = engine::to_host(model.parameters().flat_value());
    return std::vector<float>(values.span<float>().begin(), values.span<float>().end());
  };
  CHECK(relative_l2(weights(cuda.exec), weights(cpu.exec)) <= 1e-6);
}

TEST_CASE("cuda runner: batches drawn by the host and by the device take turns", "[unchecked]") {
  CudaDevice cuda;
  Cpu cpu;
  const auto dataset = cpm::open_dataset(cpm::parse_data_spec("synthetic:1"));
  constexpr int kHuman = 14, kInput = 32;
  const auto sample = [&](bool draw) {  // with a mask either way, so that both use the same buffers
    cpm::Batch batch = cpm::make_batch(1, kHuman, kInput, draw);
    cpm::fill_sample(*dataset, 0, cpm::person_crop(dataset->record(0).person, kInput), true, 0, &batch);
    return batch;
  };
  const cpm::Batch drawn = sample(true);
  const int64_t cells = kInput / 8 * kInput / 8;
  const std::vector<double> plateau = {cpm::dead_plateau(drawn.target_stage1.data(), kHuman, cells, false),
                                       cpm::dead_plateau(drawn.target_rest.data(), kHuman, cells, false)};
  const cpm::NetworkConfig network{.stages = 2, .joints = kHuman, .width = 0.0625};
  Model on_device(network, DType::F32, engine::Place(cuda.exec)), on_host(network, DType::F32);
  for (const Model* model : {&on_device, &on_host}) engine::named_fill(model->parameters(), "cuda");
  StepRunner device(on_device, cuda.exec), host(on_host, cpu.exec);
  const auto want = host.gradients(cpm::to_tensors(drawn, DType::F32));
  for (const bool draw : {true, false, true}) {
    const auto batch = cpm::to_tensors(sample(draw), DType::F32);
    for (int repeat = 0; repeat < 3; ++repeat) {
      const auto got = device.gradients(batch);
      CAPTURE(draw, repeat);
      check_close(got.stage_losses, want.stage_losses, 1e-6);
      check_close({got.grad_norm}, {want.grad_norm}, 1e-5);
      check_close(got.plateau, draw ? std::vector<double>() : plateau, 1e-6);
    }
  }
  CHECK(device.replays() == 6);  // two of three steps each
}

TEST_CASE("cuda runner: batches of another size, belief maps, gradients alone", "[unchecked]") {
  CudaDevice cuda;
  Cpu cpu;
  const cpm::NetworkConfig network{.stages = 2, .joints = kJoints, .width = 0.0625};
  Model on_device(network, DType::F32, engine::Place(cuda.exec)), on_host(network, DType::F32);
  for (const Model* model : {&on_device, &on_host}) engine::named_fill(model->parameters(), "cuda");
  StepRunner device(on_device, cuda.exec), host(on_host, cpu.exec);
  for (const int n : {1, 3, 1}) {
    const cpm::BatchTensors batch = batch_of(n, n);
    const auto maps = device.beliefs(batch), expected = host.beliefs(batch);
    REQUIRE(maps.size() == expected.size());
    for (size_t t = 0; t < maps.size(); ++t) CHECK(relative_l2(maps[t], expected[t]) <= 1e-6);
    for (int repeat = 0; repeat < 3; ++repeat) {
      const cpm::StepResult got = device.gradients(batch), want = host.gradients(batch);
      check_close(got.stage_losses, want.stage_losses, 1e-6);
      for (const engine::Parameter& p : on_host.parameters().all()) {
        const Tensor gradient = engine::to_host(on_device.parameters().at(p.name).grad);
        const auto a = gradient.span<float>();
        const auto b = p.grad.span<float>();
        CAPTURE(n, p.name);
        CHECK(relative_l2(std::vector<float>(a.begin(), a.end()), std::vector<float>(b.begin(), b.end())) <=
              1e-5);
      }
    }
  }
}

namespace {

/// Steps of which every second counts its gradients: as the CPU counts those very gradients.
void check_counts(int steps, bool record) {
  CudaDevice cuda;
  Cpu cpu;
  Model model({.stages = 2, .joints = kJoints, .width = 0.0625}, DType::F32, engine::Place(cuda.exec));
  engine::named_fill(model.parameters(), "cuda");
  engine::Optimizer optimizer(model.parameters(), {},
                              std::vector<engine::ParameterScale>(model.parameters().all().size()));
  StepRunner runner(model, cuda.exec, record);
  runner.collect({.activations = true, .linear = {.bins = 20, .range = 0.01}});
  std::vector<kernels::Segment> table;
  for (const auto& p : model.parameters().all()) table.push_back({p.offset, p.shape.count()});
  for (int step = 0; step < steps; ++step) {
    CAPTURE(step, record);
    const Tensor before = engine::to_host(model.parameters().flat_value());
    runner.upload(batch_of(step, 2));
    runner.launch({.optimizer = &optimizer, .lr = 1e-3, .collect = step % 2 == 0});
    const cpm::StepResult result = runner.wait();
    const Tensor grad = engine::to_host(model.parameters().flat_grad());
    const Tensor after = engine::to_host(model.parameters().flat_value());
    kernels::ArrayStats total;
    const auto& reduce = kernels::reduce_kernels<float>(kernels::Backend::Cpu);
    reduce.stats(cpu.exec, grad.count(), grad.data<float>(), &total);
    CHECK(result.grad_norm == Approx(std::sqrt(total.sum_squares)).epsilon(1e-12));
    if (step % 2 != 0) continue;
    const auto size = static_cast<int64_t>(table.size());
    std::vector<kernels::SegmentStats> stats(table.size());
    std::vector<kernels::LogHistogram> histograms(table.size());
    reduce.segments(cpu.exec, {grad.count(), table.data(), size}, grad.data<float>(), stats.data(),
                    histograms.data());
    const auto tensors = runner.collected_tensors();
    const auto counts = runner.collected();
    size_t place = 0;
    for (size_t i = 0; i < tensors.size(); ++i) {
      CAPTURE(tensors[i].name);
      uint64_t linear = 0;
      for (const uint32_t n : counts[i].linear) linear += n;
      CHECK(linear == static_cast<uint64_t>(engine::Shape(tensors[i].shape).count()));
      if (tensors[i].kind == "activation") {
        CHECK(counts[i].stats.sum_squares > 0);
        continue;
      }
      CHECK(std::memcmp(&counts[i].histogram, &histograms[place], sizeof(histograms[place])) == 0);
      CHECK(counts[i].stats.max_abs == stats[place].max_abs);
      CHECK(counts[i].stats.zero == stats[place].zero);
      double weight = 0, change = 0;
      for (int64_t k = table[place].begin; k < table[place].end(); ++k) {
        const double was = before.data<float>()[k], difference = after.data<float>()[k] - was;
        weight += was * was;
        change += difference * difference;
      }
      CHECK(counts[i].update.weight == Approx(weight).epsilon(1e-12));
      CHECK(counts[i].update.change == Approx(change).epsilon(1e-12));
      ++place;
    }
    REQUIRE(place == table.size());
  }
  // The first run of either kind of step is launched, the second recorded and replayed.
  CHECK(runner.replays() == (record ? steps - 2 : 0));
}

}  // namespace

TEST_CASE("cuda steps count their gradients as the CPU counts the same, recorded or not", "[unchecked]") {
  check_counts(6, true);
  check_counts(2, false);
}

TEST_CASE("cuda steps count their gradients under the checkers", "[checked]") {
  check_counts(1, false);
}
