// forward() drops each activation after its last reader, so inference holds only what is still needed; under
// a recording tape the nodes keep what their vjps need.
#include "cpm/model.h"

#include <algorithm>
#include <cmath>

#include "engine/ops/ops.h"

namespace cpm {

using engine::Tape;
using engine::Variable;

Model::Model(const NetworkConfig& config, engine::DType dtype, engine::Place place)
    : Model(network_layers(config), config.stages, config.joints, dtype, place) {
  info_.pooling = config.pooling;
}

Model::Model(std::vector<Layer> layers, int stages, int joints, engine::DType dtype, engine::Place place)
    : layers_(std::move(layers)), stages_(stages), joints_(joints), parameters_(dtype, place) {
  std::map<std::string, int> readers;
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    for (const std::string& input : layer.inputs) {
      last_reader_[input] = i;
      ++readers[input];
    }
    if (layer.kind != LayerKind::Conv) continue;
    parameters_.add(layer.name + ".weight", {layer.out, layer.in, layer.kernel, layer.kernel});
    parameters_.add(layer.name + ".bias", {layer.out});
  }
  for (size_t i = 1; i < layers_.size(); ++i) {
    const Layer& conv = layers_[i - 1];
    if (layers_[i].kind != LayerKind::MaxPool || layers_[i].inputs[0] != conv.name) continue;
    if (readers.at(conv.name) > 1) continue;
    fused_pools_.insert(i);
    size_t& last = last_reader_.at(conv.inputs[0]);
    last = std::max(last, i);
  }
  parameters_.allocate();
  for (int j = 1; j <= joints_; ++j) info_.joint_names.push_back("joint" + std::to_string(j));
}

void Model::initialise(const std::string& kind, uint64_t seed) {
  constexpr double kReleaseStd = 0.01;
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    if (layer.kind != LayerKind::Conv) continue;
    const auto& weight = parameters_.at(layer.name + ".weight");
    // Small maps at first: a random answer of order 1 on every cell would dwarf the targets.
    const bool small = kind == "gaussian" || layer.output_maps;
    engine::fill_normal(weight.value, small ? kReleaseStd : engine::he_std(weight.shape), seed, i);
    engine::assign<double>(parameters_.at(layer.name + ".bias").value, std::vector<double>(layer.out, 0.0));
  }
}

namespace {

engine::ops::Pool2dOptions max_pool_options(Pooling pooling, bool relu) {
  const bool torch = pooling == Pooling::Torch;
  return {.kernel = 3,
          .stride = 2,
          .pad = torch ? 1 : 0,
          .rounding = torch ? kernels::PoolRounding::Floor : kernels::PoolRounding::Ceil,
          .relu = relu};
}

/// A parameter as an op's operand.
Variable operand(Tape& tape, const engine::Parameter& parameter, bool frozen) {
  return frozen ? tape.constant(parameter.value) : tape.leaf(parameter.value, parameter.grad);
}

/// How run_conv reads a layer's parameters.
struct ConvContext {
  Pooling pooling;
  const engine::ParameterStore* store;
  bool frozen;
};

/// `pool`: the layer behind it that is done with it, or null.
Variable run_conv(Tape& tape, const Layer& layer, const Layer* pool, const ConvContext& how,
                  const Variable& x) {
  const Variable w = operand(tape, how.store->at(layer.name + ".weight"), how.frozen);
  const Variable b = operand(tape, how.store->at(layer.name + ".bias"), how.frozen);
  const engine::ops::Conv2dOptions options{.layer = layer.name,
                                           .pad_h = layer.padding(),
                                           .pad_w = layer.padding(),
                                           .relu = layer.relu && pool == nullptr};
  if (pool == nullptr) return engine::ops::conv2d(tape, x, w, b, options);
  return engine::ops::conv2d_max_pool(tape, x, w, b, options, max_pool_options(how.pooling, true));
}

Variable run_layer(Tape& tape, const Layer& layer, Pooling pooling, const std::vector<Variable>& inputs) {
  if (layer.kind == LayerKind::MaxPool) {
    return engine::ops::max_pool2d(tape, inputs[0], max_pool_options(pooling, false));
  }
  if (layer.kind == LayerKind::CenterPool) {
    engine::ops::Pool2dOptions options = max_pool_options(pooling, false);
    options.kernel = 9;
    options.stride = 8;
    return engine::ops::avg_pool2d(tape, inputs[0], options);
  }
  return engine::ops::concat(tape, inputs);
}

}  // namespace

std::vector<Variable> Model::forward(Tape& tape, const engine::Tensor& image, const engine::Tensor& center,
                                     const Supervision& supervision, const OutputObserver& observe) const {
  const auto& is = image.shape();
  CPM_CHECK(is.rank() == 4 && is[1] == 3 && is[2] % 8 == 0 && is[3] % 8 == 0 &&
                center.shape() == engine::Shape({is[0], 1, is[2], is[3]}),
            "image {} and center {}", to_string(is), to_string(center.shape()));
  std::map<std::string, Variable> values;
  values["image"] = tape.constant(image);
  values["center"] = tape.constant(center);
  // What does not learn is a leaf that nobody writes, so backward zeroes its gradient.
  const std::vector<bool> learning = learning_parameters(*this, supervision);
  for (size_t i = 0; i < learning.size(); ++i) {
    const engine::Parameter& p = parameters_.all()[i];
    if (!learning[i]) tape.leaf(p.value, p.grad);
  }
  std::vector<Variable> beliefs;
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    if (layer.stage > supervision.last()) break;
    if (fused_pools_.count(i + 1) != 0) continue;
    const bool fused = fused_pools_.count(i) != 0;
    const Layer& conv = fused ? layers_[i - 1] : layer;
    Variable y;
    if (conv.kind == LayerKind::Conv) {
      const Layer* pool = fused ? &layer : nullptr;
      const bool frozen = supervision.frozen[static_cast<size_t>(conv.stage - 1)];
      y = run_conv(tape, conv, pool, {info_.pooling, &parameters_, frozen}, values.at(conv.inputs[0]));
      if (observe) observe(conv, y);
    } else {
      std::vector<Variable> inputs;
      for (const std::string& input : layer.inputs) inputs.push_back(values.at(input));
      y = run_layer(tape, layer, info_.pooling, inputs);
    }
    if (layer.output_maps) beliefs.push_back(y);
    values[layer.output()] = std::move(y);
    for (const std::string& input : conv.inputs) {
      if (last_reader_.at(input) == i) values.erase(input);
    }
  }
  return beliefs;
}

std::vector<bool> learning_parameters(const Model& model, const Supervision& supervision) {
  std::vector<bool> learning;
  for (const Layer& layer : model.layers()) {
    if (layer.kind != LayerKind::Conv) continue;
    const bool learns = !supervision.frozen[static_cast<size_t>(layer.stage - 1)];
    learning.insert(learning.end(), 2, learns);  // weight and bias
  }
  return learning;
}

std::vector<Variable> stage_losses(Tape& tape, const std::vector<Variable>& beliefs, const Targets& targets,
                                   const Supervision& supervision) {
  std::vector<Variable> losses;
  for (size_t t = 0; t < beliefs.size(); ++t) {
    losses.push_back(engine::ops::mse(tape, beliefs[t], t == 0 ? targets.stage1 : targets.rest, targets.mask,
                                      supervision.weights[t]));
  }
  return losses;
}

void backward_losses(Tape& tape, const std::vector<Variable>& losses, const Supervision& supervision) {
  std::vector<Variable> weighted;
  for (size_t t = 0; t < losses.size(); ++t) {
    if (supervision.weights[t] > 0) weighted.push_back(losses[t]);
  }
  tape.backward(weighted);
}

}  // namespace cpm
