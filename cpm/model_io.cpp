// Weights files: safetensors whose names are the PyTorch reference's, shapes OIHW. A file says its own
// shapes, so stages, k and widths need no other source; pooling, input side and joint names travel in its
// metadata.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <sstream>

#include "cpm/model.h"
#include "engine/io/safetensors.h"

namespace cpm {

namespace {

using engine::SafetensorsFile;
using engine::StoredTensor;
using kernels::Error;
using kernels::ExitCode;

std::string shape_text(const std::vector<int64_t>& shape) {
  return engine::to_string(engine::Shape(shape.size() <= 4 ? shape : std::vector<int64_t>{}));
}

[[noreturn]] void bad_weights(const SafetensorsFile& file, const std::string& what,
                              const std::string& expected, const std::string& got) {
  throw Error(ExitCode::BadData,
              {.where = file.name(),
               .what = what,
               .expected = expected,
               .got = got,
               .hint = "weights come from cpm-train, or from a CPM with the reference's names"});
}

/// Any tensor of a stage counts: a file that lacks some of a stage's is refused, not read as a smaller
/// network.
int count_stages(const SafetensorsFile& file) {
  if (!file.contains("conv7_stage1.weight")) {
    bad_weights(file, "not the weights of a CPM", "tensors conv1_stage1.weight ... conv7_stage1.weight",
                std::to_string(file.tensors().size()) + " tensors, conv7_stage1.weight not among them");
  }
  int stages = 6;
  const auto has_tensor = [&](int stage) {
    const std::string part = "_stage" + std::to_string(stage) + ".";
    return std::any_of(file.tensors().begin(), file.tensors().end(),
                       [&](const auto& entry) { return entry.first.find(part) != std::string::npos; });
  };
  while (stages > 1 && !has_tensor(stages)) --stages;
  return stages;
}

/// Output channels of a layer's weight; -1 where the tensor is missing or has no four axes.
int64_t stored_width(const SafetensorsFile& file, const Layer& layer) {
  const StoredTensor& w = file.at(layer.name + ".weight");
  if (w.shape.size() != 4 || w.shape[0] < 1) {
    bad_weights(file, "tensor " + layer.name + ".weight has the wrong shape", "[out, in, height, width]",
                shape_text(w.shape));
  }
  return w.shape[0];
}

/// Every tensor the table needs is there with the shape the table gives it. Done before memory is taken, so a
/// file with absurd widths is refused, not allocated.
void check_shapes(const SafetensorsFile& file, const std::vector<Layer>& layers) {
  const auto check = [&](const std::string& name, const std::vector<int64_t>& shape) {
    const StoredTensor& stored = file.at(name);
    if (stored.shape == shape) return;
    bad_weights(file, "tensor " + name + " has the wrong shape", shape_text(shape), shape_text(stored.shape));
  };
  for (const Layer& layer : layers) {
    if (layer.kind != LayerKind::Conv) continue;
    check(layer.name + ".weight", {layer.out, layer.in, layer.kernel, layer.kernel});
    check(layer.name + ".bias", {layer.out});
  }
}

void check_finite(const SafetensorsFile& file, const std::string& name, const std::vector<double>& values) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) {
      bad_weights(file, "tensor " + name + " holds a value that is not finite", "finite numbers",
                  std::to_string(values[i]) + " at element " + std::to_string(i));
    }
  }
}

void read_info(const SafetensorsFile& file, int joints, ModelInfo* info) {
  const auto& meta = file.metadata();
  if (const auto it = meta.find("pooling"); it != meta.end()) {
    if (it->second != "torch" && it->second != "caffe") {
      bad_weights(file, "metadata key pooling", "torch or caffe", it->second);
    }
    info->pooling = it->second == "caffe" ? Pooling::Caffe : Pooling::Torch;
  }
  if (const auto it = meta.find("input"); it != meta.end()) {
    char* end = nullptr;
    const long input = std::strtol(it->second.c_str(), &end, 10);
    if (*end != '\0' || input < 8 || input > 4096 || input % 8 != 0) {
      bad_weights(file, "metadata key input", "a multiple of 8 from 8 to 4096", it->second);
    }
    info->input = static_cast<int>(input);
  }
  if (const auto it = meta.find("joints"); it != meta.end()) {
    std::vector<std::string> names;
    std::istringstream text(it->second);
    for (std::string name; std::getline(text, name, ',');) names.push_back(name);
    if (static_cast<int>(names.size()) != joints) {
      bad_weights(file, "metadata key joints", std::to_string(joints) + " names, comma-separated",
                  it->second);
    }
    info->joint_names = names;
  }
}

}  // namespace

engine::TensorToStore stored_part(const std::string& name, const engine::Tensor& flat,
                                  const engine::Parameter& p) {
  return {name, flat.dtype(), p.shape.to_vector(), engine::slice_of(flat, p.offset, p.shape).memory().get()};
}

Model Model::load(const std::filesystem::path& weights, engine::DType dtype, engine::Place place) {
  const SafetensorsFile file = SafetensorsFile::read(weights);
  const int stages = count_stages(file);
  const StoredTensor& maps = file.at("conv7_stage1.weight");
  const int joints = static_cast<int>(maps.shape.empty() ? 0 : maps.shape[0]) - 1;
  if (joints < 1 || joints > 1000) {
    bad_weights(file, "tensor conv7_stage1.weight has the wrong shape", "[joints + 1, in, 1, 1]",
                shape_text(maps.shape));
  }
  std::vector<Layer> layers = network_layers({.stages = stages, .joints = joints});
  set_widths(&layers, [&](const Layer& layer) { return stored_width(file, layer); });
  check_shapes(file, layers);
  Model model(std::move(layers), stages, joints, dtype, place);
  read_info(file, joints, &model.info_);
  for (const engine::Parameter& p : model.parameters_.all()) {
    const std::vector<double> values = file.values<double>(p.name);
    check_finite(file, p.name, values);
    engine::assign<double>(p.value, values);
  }
  return model;
}

std::vector<std::string> Model::take_weights(const std::filesystem::path& weights) {
  const SafetensorsFile file = SafetensorsFile::read(weights);
  std::vector<std::string> left_out;
  for (const engine::Parameter& p : parameters_.all()) {
    const auto found = file.tensors().find(p.name);
    if (found == file.tensors().end() || found->second.shape != p.shape.to_vector()) {
      left_out.push_back(p.name);
      continue;
    }
    const std::vector<double> values = file.values<double>(p.name);
    check_finite(file, p.name, values);
    engine::assign<double>(p.value, values);
  }
  if (left_out.size() == parameters_.all().size()) {
    bad_weights(file, "no tensor fits this network",
                "names and shapes of " + parameters_.all().front().name + " ...",
                std::to_string(file.tensors().size()) + " tensors, none that fits");
  }
  return left_out;
}

void Model::save(const std::filesystem::path& weights) const {
  const engine::Tensor flat = engine::to_host(parameters_.flat_value());
  std::vector<engine::TensorToStore> tensors;
  for (const engine::Parameter& p : parameters_.all()) {
    tensors.push_back(stored_part(p.name, flat, p));
  }
  std::string names;
  for (const std::string& name : info_.joint_names) names += (names.empty() ? "" : ",") + name;
  engine::write_safetensors(weights, std::move(tensors),
                            {{"pooling", info_.pooling == Pooling::Caffe ? "caffe" : "torch"},
                             {"input", std::to_string(info_.input)},
                             {"joints", names}});
}

}  // namespace cpm
