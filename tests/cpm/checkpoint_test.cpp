// Checkpoints: what is saved is what is read, bit for bit; damage costs one file, not the run.
#include "cpm/checkpoint.h"

#include <cstring>
#include <fstream>

#include "engine/io/file.h"
#include "engine/io/safetensors.h"
#include "tests/cpm/dataset_support.h"
#include "tests/cpm/network_support.h"
#include "tests/support/cpu_kernels.h"

namespace {

using cpm::Model;
using engine::Optimizer;
using engine::OptimizerOptions;
using engine::Tensor;
using tests::says;
using tests::TempFolder;

/// A small network and its optimiser, which can make steps from named gradients.
struct Run {
  tests::Cpu cpu;
  Model model;
  Optimizer optimizer;

  explicit Run(OptimizerOptions::Kind kind,
               const cpm::NetworkConfig& config = {.stages = 2, .joints = 3, .width = 0.02})
      : model(tests::small_model(config, engine::DType::F32)),
        optimizer(model.parameters(), {.kind = kind, .weight_decay = 1e-3},
                  std::vector<engine::ParameterScale>(model.parameters().all().size())) {}

  /// Step number steps() + 1; its gradient depends on that number alone.
  void step() {
    const auto& all = model.parameters().all();
    for (size_t i = 0; i < all.size(); ++i) {
      engine::fill_normal(all[i].grad, 0.1, static_cast<uint64_t>(optimizer.steps()), i);
    }
    optimizer.step(cpu.exec, 0.01);
  }

  std::vector<std::vector<float>> everything() const {
    std::vector<std::vector<float>> result;
    const auto add = [&](const Tensor& t) {
      result.emplace_back(t.span<float>().begin(), t.span<float>().end());
    };
    add(model.parameters().flat_value());
    for (const auto& [name, tensor] : optimizer.state()) add(tensor);
    return result;
  }
};

struct Warnings {
  std::vector<std::string> texts;
  void operator()(const std::string& text) { texts.push_back(text); }
};

int64_t load(const std::filesystem::path& folder, Run* run, Warnings* warnings) {
  return cpm::load_newest_checkpoint(folder, &run->model, &run->optimizer, std::ref(*warnings));
}

void change_byte(const std::filesystem::path& path, int64_t from_end) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(-from_end, std::ios::end);
  const auto byte = static_cast<char>(file.get() ^ 1);
  file.seekp(-from_end, std::ios::end);
  file.put(byte);
}

constexpr auto kAdam = OptimizerOptions::Kind::Adam;
constexpr auto kSgd = OptimizerOptions::Kind::Sgd;

}  // namespace

TEST_CASE("checkpoint: weights, optimiser state and step come back bit for bit, and the run goes on alike") {
  for (const auto kind : {kAdam, kSgd}) {
    TempFolder folder;
    Run run(kind), resumed(kind);
    for (int i = 0; i < 3; ++i) run.step();
    cpm::save_checkpoint(folder.path(), run.model, run.optimizer, 3);
    CHECK(folder.listing() == "last step-00000003.ckpt");
    CHECK(std::filesystem::read_symlink(folder / "last") == "step-00000003.ckpt");
    Warnings warnings;
    CHECK(load(folder.path(), &resumed, &warnings) == 3);
    CHECK(warnings.texts.empty());
    CHECK(resumed.optimizer.steps() == 3);
    CHECK(resumed.everything() == run.everything());
    run.step();
    resumed.step();
    CHECK(resumed.everything() == run.everything());
  }
}

TEST_CASE("checkpoint: an empty or missing folder is step 0 and changes nothing") {
  TempFolder folder;
  Run run(kAdam);
  const auto before = run.everything();
  Warnings warnings;
  CHECK(load(folder.path(), &run, &warnings) == 0);
  CHECK(load(folder / "missing", &run, &warnings) == 0);
  CHECK(warnings.texts.empty());
  CHECK(run.everything() == before);
}

TEST_CASE("checkpoint: a damaged newest file is reported and the one before it is used") {
  struct Damage {
    const char* name;
    void (*apply)(const std::filesystem::path&);
  };
  const std::vector<Damage> damages = {
      {"a bit of the data", [](const auto& path) { change_byte(path, 100); }},
      {"a bit of the header",
       [](const auto& path) {
         const auto size = static_cast<int64_t>(std::filesystem::file_size(path));
         change_byte(path, size - 60);
       }},
      {"cut short", [](const auto& path) { std::filesystem::resize_file(path, 500); }},
      {"empty", [](const auto& path) { std::filesystem::resize_file(path, 0); }},
      {"renamed", [](const auto& path) {
         const auto first = path.parent_path() / "step-00000001.ckpt";
         std::filesystem::copy_file(first, path, std::filesystem::copy_options::overwrite_existing);
       }}};
  for (const Damage& damage : damages) {
    CAPTURE(damage.name);
    TempFolder folder;
    Run run(kAdam), resumed(kAdam);
    run.step();
    cpm::save_checkpoint(folder.path(), run.model, run.optimizer, 3);
    const auto first = run.everything();
    run.step();
    cpm::save_checkpoint(folder.path(), run.model, run.optimizer, 3);
    damage.apply(folder / "step-00000002.ckpt");
    Warnings warnings;
    CHECK(load(folder.path(), &resumed, &warnings) == 1);
    CHECK(resumed.everything() == first);
    REQUIRE(warnings.texts.size() == 1);
    CHECK(warnings.texts[0].find("step-00000002.ckpt") != std::string::npos);
    // When all are damaged the run starts again.
    change_byte(folder / "step-00000001.ckpt", 8);
    warnings.texts.clear();
    Run again(kAdam);
    const auto fresh = again.everything();
    CHECK(load(folder.path(), &again, &warnings) == 0);
    CHECK(warnings.texts.size() == 2);
    CHECK(again.everything() == fresh);
  }
}

TEST_CASE("checkpoint: the newest ones are kept, other files are left alone") {
  TempFolder folder;
  engine::write_text(folder / "step-notes.txt", "mine");
  Run run(kSgd);
  for (int i = 0; i < 12; ++i) {
    run.step();
    if (i % 2 == 1) cpm::save_checkpoint(folder.path(), run.model, run.optimizer, 3);
  }
  CHECK(folder.listing() == "last step-00000008.ckpt step-00000010.ckpt step-00000012.ckpt step-notes.txt");
  CHECK(std::filesystem::read_symlink(folder / "last") == "step-00000012.ckpt");
  cpm::save_checkpoint(folder.path(), run.model, run.optimizer, 0);  // never none
  CHECK(folder.listing() == "last step-00000012.ckpt step-notes.txt");
}

TEST_CASE("checkpoint: equal states give equal files, which also serve as weights") {
  TempFolder folder;
  Run run(kAdam);
  run.step();
  const auto path = folder / "step-00000001.ckpt";
  cpm::save_checkpoint(folder.path(), run.model, run.optimizer, 3);
  const auto first = engine::read_file(path, 1u << 30);
  cpm::save_checkpoint(folder.path(), run.model, run.optimizer, 3);
  CHECK(engine::read_file(path, 1u << 30) == first);
  const Model model = Model::load(path, engine::DType::F32);
  CHECK(model.parameters().at("conv2_stage1.weight").value.span<float>()[3] ==
        run.model.parameters().at("conv2_stage1.weight").value.span<float>()[3]);
  const auto file = engine::SafetensorsFile::read(path);
  CHECK(file.metadata().at("step") == "1");
  CHECK(file.contains("adam_m/Mconv5_stage2.bias"));
  CHECK(file.contains("adam_v/conv1_stage1.weight"));
}

TEST_CASE("checkpoint: one of another network or optimiser is an error, not a fallback") {
  TempFolder folder;
  Run run(kAdam);
  run.step();
  cpm::save_checkpoint(folder.path(), run.model, run.optimizer, 3);
  Warnings warnings;
  const auto thrown_with = [&](Run other) {
    return tests::thrown_by([&] { load(folder.path(), &other, &warnings); });
  };
  const auto joints = thrown_with(Run(kAdam, {.stages = 2, .joints = 5, .width = 0.02}));
  CHECK(joints.code == kernels::ExitCode::BadData);
  CHECK(says(joints, "step-00000001.ckpt"));
  CHECK(says(joints, "checkpoint of another network: tensor conv7_stage1.weight"));
  const auto stages = thrown_with(Run(kAdam, {.stages = 3, .joints = 3, .width = 0.02}));
  CHECK(stages.code == kernels::ExitCode::BadData);
  CHECK(says(stages, "stage3"));
  const auto optimizer = thrown_with(Run(kSgd));
  CHECK(optimizer.code == kernels::ExitCode::BadData);
  CHECK(says(optimizer, "momentum/conv1_stage1.weight"));
  CHECK(warnings.texts.empty());
}
