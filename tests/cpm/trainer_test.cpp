// The loop's parts: schedules, what may change on resume, and one image learnt by heart.
#include "cpm/trainer.h"

#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "cpm/learning_rate.h"
#include "cpm/train_session.h"
#include "tests/cpm/dataset_support.h"
#include "tests/support/cpu_kernels.h"

namespace {

using cpm::Config;
using cpm::OptimConfig;
using tests::says;
using tests::thrown_by;

/// What 100 steps of Adam left of one image's loss.
struct Learnt {
  double first = 0, last = 0;
  double plateau = 0;  // of stages that answer zero for every joint and the right background
};

Learnt learn_one_image(int steps, int threads) {
  const auto dataset = cpm::open_dataset(cpm::parse_data_spec("synthetic:1"));
  cpm::Batch batch = cpm::make_batch(1, 14, 64);
  cpm::fill_sample(*dataset, 0, cpm::person_crop(dataset->record(0).person, 64), false, 0, &batch);
  Learnt result;
  result.plateau = cpm::dead_plateau(batch.target_stage1.data(), 14, 64, false) +
                   cpm::dead_plateau(batch.target_rest.data(), 14, 64, false);
  cpm::Model model({.stages = 2, .joints = 14, .width = 1.0 / 16}, engine::DType::F32);
  model.initialise("he", 1);
  engine::Optimizer optimizer(model.parameters(), {},
                              std::vector<engine::ParameterScale>(model.parameters().all().size()));
  tests::Cpu cpu(threads);
  cpu.exec.isa = kernels::best_isa();
  cpm::StepRunner runner(model, cpu.exec);
  const cpm::BatchTensors tensors = cpm::to_tensors(std::move(batch), engine::DType::F32);
  for (int step = 0; step < steps; ++step) {
    result.last = runner.gradients(tensors).loss;
    if (step == 0) result.first = result.last;
    optimizer.step(cpu.exec, 3e-3);
  }
  return result;
}

}  // namespace

TEST_CASE("trainer: learning rate, constant, with and without warm-up") {
  OptimConfig optim;
  optim.lr = 0.5;
  for (const int64_t step : {1, 2, 50, 1000}) CHECK(cpm::learning_rate(optim, step, 1000) == 0.5);
  optim.warmup = 4;
  const std::vector<double> expected = {0.125, 0.25, 0.375, 0.5, 0.5, 0.5};
  for (size_t i = 0; i < expected.size(); ++i) {
    CHECK(cpm::learning_rate(optim, static_cast<int64_t>(i) + 1, 1000) == expected[i]);
  }
}

TEST_CASE("trainer: learning rate in steps") {
  OptimConfig optim;
  optim.lr = 8;
  optim.schedule = "step";
  optim.step_every = 3;
  optim.step_gamma = 0.5;
  const std::vector<double> expected = {8, 8, 8, 4, 4, 4, 2, 2, 2, 1};
  for (size_t i = 0; i < expected.size(); ++i) {
    CHECK(cpm::learning_rate(optim, static_cast<int64_t>(i) + 1, 10) == expected[i]);
  }
  optim.warmup = 2;  // warm-up overrides; the intervals still count from step 1
  CHECK(cpm::learning_rate(optim, 1, 10) == 4);
  CHECK(cpm::learning_rate(optim, 3, 10) == 8);
  CHECK(cpm::learning_rate(optim, 4, 10) == 4);
}

TEST_CASE("trainer: learning rate by cosine") {
  OptimConfig optim;
  optim.lr = 2;
  optim.schedule = "cosine";
  CHECK(cpm::learning_rate(optim, 1, 8) == 2);
  for (int64_t step = 1; step <= 8; ++step) {
    const double expected = 1 + std::cos(std::numbers::pi * static_cast<double>(step - 1) / 8);
    CHECK(std::fabs(cpm::learning_rate(optim, step, 8) - expected) < 1e-15);
  }
  CHECK(std::fabs(cpm::learning_rate(optim, 5, 8) - 1) < 1e-15);  // half-way
  optim.warmup = 4;
  CHECK(cpm::learning_rate(optim, 2, 12) == 1);
  CHECK(cpm::learning_rate(optim, 4, 12) == 2);
  CHECK(cpm::learning_rate(optim, 5, 12) == 2);
  CHECK(std::fabs(cpm::learning_rate(optim, 9, 12) - 1) < 1e-15);
  CHECK(cpm::learning_rate(optim, 12, 12) > 0);
  CHECK(std::fabs(cpm::learning_rate(optim, 99, 12)) < 1e-15);  // never negative, never up again
  CHECK(cpm::learning_rate(optim, 4, 4) == 2);
}

TEST_CASE("trainer: what may differ when a run is resumed is taken over") {
  Config kept;
  kept.train.steps = 100;
  kept.optim.lr = 0.25;
  Config asked = kept;
  asked.train.steps = 200;
  asked.train.epochs = 0;
  asked.train.threads = 3;
  asked.train.device = "cpu";
  asked.train.checkpoint_every = 7;
  asked.train.keep_checkpoints = 9;
  asked.train.val_every = 11;
  asked.train.events_every = 13;
  asked.data.loader_threads = 2;
  const Config merged = cpm::merge_resumed(kept, asked);
  CHECK(merged.to_toml() == asked.to_toml());
  CHECK(merged.train.steps == 200);
  CHECK(merged.train.keep_checkpoints == 9);
  CHECK(merged.optim.lr == 0.25);
}

TEST_CASE("trainer: the steps of a stagewise run are its stages' shares and stay on resume") {
  Config kept;
  kept.train.steps = 12;
  kept.set("supervision.schedule=stagewise");
  Config asked = kept;
  asked.train.threads = 3;
  CHECK(cpm::merge_resumed(kept, asked).train.threads == 3);
  asked.train.steps = 24;
  const auto thrown = thrown_by([&] { cpm::merge_resumed(kept, asked); });
  CHECK(thrown.code == kernels::ExitCode::Usage);
  CHECK(says(thrown, "expected: train.steps = 12"));
  CHECK(says(thrown, "got: train.steps = 24"));
}

TEST_CASE("trainer: what may not differ is named with both values") {
  const std::vector<std::array<std::string, 2>> changes = {
      {"optim.lr=0.5", "lr = 0.5"},
      {"model.stages=3", "stages = 3"},
      {"train.seed=4", "seed = 4"},
      {"train.batch=2", "batch = 2"},
      {"data.train=synthetic:7", "train = \"synthetic:7\""},
      {"data.flip=0.25", "flip = 0.25"},
      {"model.pooling=caffe", "pooling = \"caffe\""}};
  Config kept;
  kept.data.train = "synthetic:5";
  for (const auto& [assignment, line] : changes) {
    Config asked = kept;
    asked.set(assignment);
    const auto thrown = thrown_by([&] { cpm::merge_resumed(kept, asked); });
    CAPTURE(assignment, thrown.line);
    CHECK(thrown.code == kernels::ExitCode::Usage);
    const std::string table = assignment.substr(0, assignment.find('.') + 1);
    const std::string key = line.substr(0, line.find(' ') + 3);
    CHECK(says(thrown, "expected: " + table + key));
    CHECK(says(thrown, "got: " + table + line));
  }
}

TEST_CASE("tiny: two stages learn one image by heart") {
  const Learnt learnt = learn_one_image(100, 2);
  fmt::print("tiny: loss {:.3f} -> {:.3f}, {:.1f} % of the dead plateau {:.3f}\n", learnt.first, learnt.last,
             100 * learnt.last / learnt.plateau, learnt.plateau);
  CHECK(learnt.last < 0.25 * learnt.plateau);
  CHECK(learnt.first > learnt.plateau);
}

TEST_CASE("tiny: training has the same bits for any number of threads") {
  const Learnt one = learn_one_image(5, 1), two = learn_one_image(5, 2), three = learn_one_image(5, 3);
  CHECK(one.last == two.last);
  CHECK(one.last == three.last);
  CHECK(one.last != one.first);
}
