// A CPM: the layer table, its parameters, and the forward pass over a tape. Losses and their supervision too.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cpm/stages.h"
#include "cpm/supervision.h"
#include "engine/autograd/tape.h"
#include "engine/io/safetensors.h"
#include "engine/nn/parameters.h"

namespace cpm {

/// What a weights file says about itself beside the tensors (its __metadata__).
struct ModelInfo {
  Pooling pooling = Pooling::Torch;
  int input = 368;                       // side in pixels the network was trained at
  std::vector<std::string> joint_names;  // k of them
};

class Model {
 public:
  /// Parameters and gradients lie at `place`.
  Model(const NetworkConfig& config, engine::DType dtype, engine::Place place = {});

  /// Builds the network a weights file holds: stages, k and widths are read off its tensors. BadData where
  /// the tensors are not a CPM's or contain NaN.
  static Model load(const std::filesystem::path& weights, engine::DType dtype, engine::Place place = {});

  /// "he": normal, std sqrt(2 / fan-in), output layers 0.01; "gaussian": std 0.01 everywhere (the release's).
  /// Biases 0.
  void initialise(const std::string& kind, uint64_t seed);
  /// Takes tensors whose names and shapes fit from a weights file; returns the names that did not.
  std::vector<std::string> take_weights(const std::filesystem::path& weights);
  /// Writes the parameters alone, with `info` as metadata (no time, host or path: equal weights, equal
  /// files).
  void save(const std::filesystem::path& weights) const;

  /// Sees what a convolution hands on: behind its ReLU, and behind the max pooling that is of one op with it.
  using OutputObserver = std::function<void(const Layer& conv, const engine::Variable& output)>;
  /// image [N, 3, H, W], center [N, 1, H, W] -> belief maps of every stage up to supervision.last(), each
  /// [N, k + 1, H/8, W/8]. Frozen stages' parameters get the gradient 0, at no cost.
  std::vector<engine::Variable> forward(engine::Tape& tape, const engine::Tensor& image,
                                        const engine::Tensor& center, const Supervision& supervision = {},
                                        const OutputObserver& observe = nullptr) const;

  int stages() const { return stages_; }
  int joints() const { return joints_; }
  const std::vector<Layer>& layers() const { return layers_; }
  engine::ParameterStore& parameters() { return parameters_; }
  const engine::ParameterStore& parameters() const { return parameters_; }
  ModelInfo& info() { return info_; }
  const ModelInfo& info() const { return info_; }

 private:
  Model(std::vector<Layer> layers, int stages, int joints, engine::DType dtype, engine::Place place);

  std::vector<Layer> layers_;
  int stages_, joints_;
  engine::ParameterStore parameters_;
  ModelInfo info_;
  std::map<std::string, size_t> last_reader_;  // layer output -> index of the last layer that reads it
  std::set<size_t> fused_pools_;  // max pooling layers of one op with the convolution before them
};

/// One flag a parameter, in the store's order: whether it learns (Optimizer::learn).
std::vector<bool> learning_parameters(const Model& model, const Supervision& supervision);

/// `p`'s part of a flat buffer in host memory, to be written as `name`; `flat` must outlive the write.
engine::TensorToStore stored_part(const std::string& name, const engine::Tensor& flat,
                                  const engine::Parameter& p);

/// Targets of one batch: stage 1 sees all people, later stages the centre person.
struct Targets {
  engine::Tensor stage1, rest;  // [N, k + 1, H/8, W/8]
  engine::Tensor mask;          // [N, k + 1] or undefined
};

/// The loss of every stage that has belief maps (squared error over 2N, as the release), without its weight.
std::vector<engine::Variable> stage_losses(engine::Tape& tape, const std::vector<engine::Variable>& beliefs,
                                           const Targets& targets, const Supervision& supervision = {});

/// Backpropagates the weighted sum of the losses, which stage_losses() made for this (reduced) supervision.
void backward_losses(engine::Tape& tape, const std::vector<engine::Variable>& losses,
                     const Supervision& supervision);

}  // namespace cpm
