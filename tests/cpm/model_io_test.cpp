// Weights files: written and read back, and what is said about wrong ones.
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "cpm/model.h"
#include "engine/io/file.h"
#include "engine/io/safetensors.h"
#include "tests/cpm/dataset_support.h"
#include "tests/cpm/network_support.h"
#include "tests/support/catch.h"

namespace {

using cpm::Model;
using cpm::NetworkConfig;
using cpm::Pooling;
using engine::Shape;
using engine::Tensor;
using kernels::DType;
using kernels::ExitCode;
using tests::says;
using tests::TempFolder;
using tests::thrown_by;

const NetworkConfig kSmall{.stages = 3, .joints = 5, .width = 0.125, .pooling = Pooling::Caffe};

std::vector<float> copy(const Tensor& tensor) {
  const auto span = tensor.span<float>();
  return {span.begin(), span.end()};
}

std::vector<uint8_t> bytes_of(const std::filesystem::path& file) {
  return engine::read_file(file, uint64_t{1} << 30);
}

/// Saves `model` with one tensor changed by `change`, which may clear the name to leave it out.
template <class Change>
void save_changed(const Model& model, const std::filesystem::path& file, const std::string& name,
                  std::map<std::string, std::string> metadata, Change change) {
  std::vector<engine::TensorToStore> tensors;
  for (const auto& p : model.parameters().all()) {
    engine::TensorToStore stored{p.name, DType::F32, p.shape.to_vector(), p.value.memory().get()};
    if (p.name == name) change(stored);
    if (!stored.name.empty()) tensors.push_back(stored);
  }
  engine::write_safetensors(file, tensors, std::move(metadata));
}

}  // namespace

TEST_CASE("model: a saved network is read back with all it says about itself") {
  TempFolder folder;
  Model model = tests::small_model(kSmall, DType::F32);
  model.info().input = 96;
  model.info().joint_names = {"a", "b", "c", "d", "left e"};
  model.save(folder / "a");
  model.save(folder / "b");
  CHECK(bytes_of(folder / "a") == bytes_of(folder / "b"));
  Model read = Model::load(folder / "a", DType::F32);
  CHECK(read.stages() == 3);
  CHECK(read.joints() == 5);
  CHECK(read.info().pooling == Pooling::Caffe);
  CHECK(read.info().input == 96);
  CHECK(read.info().joint_names == model.info().joint_names);
  CHECK(copy(read.parameters().flat_value()) == copy(model.parameters().flat_value()));
  read.save(folder / "c");
  CHECK(bytes_of(folder / "c") == bytes_of(folder / "a"));
  const Model wide = Model::load(folder / "a", DType::F64);
  CHECK(wide.parameters().at("conv1_stage1.weight").value.data<double>()[5] ==
        static_cast<double>(model.parameters().at("conv1_stage1.weight").value.data<float>()[5]));
}

TEST_CASE("model: a file without metadata still gives stages, joints and widths of its own") {
  TempFolder folder;
  const Model model({.stages = 2, .joints = 3, .width = 0.07}, DType::F32);
  save_changed(model, folder / "bare", "", {}, [](auto&) {});
  const Model read = Model::load(folder / "bare", DType::F32);
  CHECK(read.stages() == 2);
  CHECK(read.joints() == 3);
  CHECK(read.info().pooling == Pooling::Torch);
  CHECK(read.info().input == 368);
  CHECK(read.parameters().at("Mconv1_stage2.weight").shape == Shape({9, 2 + 4 + 1, 11, 11}));
}

TEST_CASE("model: what is wrong with a weights file is said with its name and the tensor's") {
  TempFolder folder;
  const Model model = tests::small_model(kSmall, DType::F32);
  const std::string name = "Mconv2_stage3.weight";
  const auto load_changed = [&](const std::string& tensor, const auto& change) {
    save_changed(model, folder / "weights.bad", tensor, {}, change);
    const auto thrown = thrown_by([&] { Model::load(folder / "weights.bad", DType::F32); });
    CHECK(thrown.code == ExitCode::BadData);
    CHECK(says(thrown, "weights.bad"));
    INFO(thrown.line);
    CHECK(says(thrown, tensor));
    return thrown;
  };
  const auto leave_out = [](engine::TensorToStore& t) { t.name.clear(); };
  load_changed(name, leave_out);
  load_changed("conv3_stage1.bias", leave_out);
  load_changed("Mconv5_stage3.weight", leave_out);  // not taken for a network of two stages
  CHECK(says(load_changed("conv7_stage1.weight", leave_out), "not the weights of a CPM"));
  CHECK(says(load_changed(name, [](auto& t) { t.shape = {16, 16, 121}; }), "wrong shape"));
  const auto thrown = load_changed(name, [](auto& t) { t.shape = {16, 11, 16, 11}; });
  CHECK(says(thrown, "expected: [16, 16, 11, 11] | got: [16, 11, 16, 11]"));
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> values = copy(model.parameters().at(name).value);
    values[77] = bad;
    CHECK(says(load_changed(name, [&](auto& t) { t.data = values.data(); }), "at element 77"));
  }
  // A width that no neighbour shares: the next layer does not fit. Nothing that large is allocated.
  const std::vector<float> many(64 * 3 * 81);
  const auto wider = thrown_by([&] {
    save_changed(model, folder / "wide", "conv1_stage1.weight", {}, [&](auto& t) {
      t.shape = {64, 3, 9, 9};
      t.data = many.data();
    });
    Model::load(folder / "wide", DType::F32);
  });
  CHECK(wider.code == ExitCode::BadData);
  CHECK(says(wider, "conv1_stage1.bias"));
}

TEST_CASE("model: metadata that cannot be meant is refused") {
  TempFolder folder;
  const Model model({.stages = 1, .joints = 3, .width = 0.01}, DType::F32);
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"pooling", "max"}, {"input", "100"}, {"input", "x"}, {"input", "-8"}, {"joints", "a,b"}};
  for (const auto& [key, value] : wrong) {
    save_changed(model, folder / "meta", "", {{key, value}}, [](auto&) {});
    const auto thrown = thrown_by([&] { Model::load(folder / "meta", DType::F32); });
    CAPTURE(key, value, thrown.line);
    CHECK(thrown.code == ExitCode::BadData);
    CHECK(says(thrown, "metadata key " + key));
    CHECK(says(thrown, "got: " + value));
  }
}

TEST_CASE("model: weights of another network are taken where name and shape fit") {
  TempFolder folder;
  const Model two = tests::small_model({.stages = 2, .joints = 14, .width = 0.1}, DType::F32);
  two.save(folder / "two");
  Model three({.stages = 3, .joints = 5, .width = 0.1}, DType::F32);
  const std::vector<std::string> left_out = three.take_weights(folder / "two");
  const std::vector<std::string> expected = {
      "conv7_stage1.weight", "conv7_stage1.bias",    "Mconv1_stage2.weight", "Mconv5_stage2.weight",
      "Mconv5_stage2.bias",  "conv1_stage3.weight",  "conv1_stage3.bias",    "Mconv1_stage3.weight",
      "Mconv1_stage3.bias",  "Mconv2_stage3.weight", "Mconv2_stage3.bias",   "Mconv3_stage3.weight",
      "Mconv3_stage3.bias",  "Mconv4_stage3.weight", "Mconv4_stage3.bias",   "Mconv5_stage3.weight",
      "Mconv5_stage3.bias"};
  CHECK(left_out == expected);
  const auto same = [&](const std::string& name) {
    return copy(three.parameters().at(name).value) == copy(two.parameters().at(name).value);
  };
  CHECK(same("conv5_stage1.weight"));
  CHECK(same("Mconv1_stage2.bias"));
  CHECK(copy(three.parameters().at("conv1_stage3.weight").value) ==
        std::vector<float>(three.parameters().at("conv1_stage3.weight").shape.count()));
  Model wide({.stages = 1, .joints = 5, .width = 1}, DType::F32);
  CHECK(thrown_by([&] { wide.take_weights(folder / "two"); }).code == ExitCode::BadData);
}
