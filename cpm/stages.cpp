#include "cpm/stages.h"

#include <cmath>
#include <map>

#include "kernels/base/error.h"

namespace cpm {

namespace {

class TableBuilder {
 public:
  explicit TableBuilder(const NetworkConfig& config) : config_(config) {}

  void conv(int stage, const std::string& base, const std::string& input, int64_t out, int64_t kernel) {
    const auto width = static_cast<int64_t>(std::floor(static_cast<double>(out) * config_.width + 0.5));
    add({.kind = LayerKind::Conv,
         .name = named(base, stage),
         .inputs = {input},
         .stage = stage,
         .out = std::max<int64_t>(1, width),
         .kernel = kernel,
         .relu = true});
  }

  /// A 1x1 convolution to joints + 1 maps, without ReLU.
  void maps(int stage, const std::string& base, const std::string& input) {
    add({.kind = LayerKind::Conv,
         .name = named(base, stage),
         .inputs = {input},
         .stage = stage,
         .out = config_.joints + 1,
         .kernel = 1,
         .output_maps = true});
  }

  void other(LayerKind kind, int stage, const std::string& base, std::vector<std::string> inputs) {
    add({.kind = kind, .name = named(base, stage), .inputs = std::move(inputs), .stage = stage});
  }

  /// conv1-3, each with ReLU and max pool: image -> pool3 (128 maps at an eighth of the size).
  void trunk(int stage) {
    std::string input = "image";
    for (const std::string i : {"1", "2", "3"}) {
      conv(stage, "conv" + i, input, 128, 9);
      other(LayerKind::MaxPool, stage, "pool" + i, {named("conv" + i, stage)});
      input = named("pool" + i, stage);
    }
  }

  static std::string named(const std::string& base, int stage) {
    return base + "_stage" + std::to_string(stage);
  }

  std::vector<Layer> take() { return std::move(layers_); }

 private:
  void add(Layer layer) { layers_.push_back(std::move(layer)); }

  NetworkConfig config_;
  std::vector<Layer> layers_;
};

}  // namespace

std::vector<Layer> network_layers(const NetworkConfig& config) {
  CPM_CHECK(config.stages >= 1 && config.stages <= kMaxStages && config.joints >= 1, "{} stages, {} joints",
            config.stages, config.joints);
  TableBuilder t(config);
  t.trunk(1);
  t.conv(1, "conv4", "pool3_stage1", 32, 5);
  t.conv(1, "conv5", "conv4_stage1", 512, 9);
  t.conv(1, "conv6", "conv5_stage1", 512, 1);
  t.maps(1, "conv7", "conv6_stage1");
  if (config.stages >= 2) {
    t.trunk(2);
    t.other(LayerKind::CenterPool, 2, "pool_center", {"center"});
  }
  for (int stage = 2; stage <= config.stages; ++stage) {
    const std::string features = stage == 2 ? "conv4" : "conv1";
    t.conv(stage, features, "pool3_stage2", 32, 5);
    t.other(
        LayerKind::Concat, stage, "concat",
        {TableBuilder::named(features, stage), "stage" + std::to_string(stage - 1), "pool_center_stage2"});
    std::string input = TableBuilder::named("concat", stage);
    for (const auto& [base, kernel] :
         {std::pair{"Mconv1", 11}, {"Mconv2", 11}, {"Mconv3", 11}, {"Mconv4", 1}}) {
      t.conv(stage, base, input, 128, kernel);
      input = TableBuilder::named(base, stage);
    }
    t.maps(stage, "Mconv5", input);
  }
  std::vector<Layer> layers = t.take();
  set_widths(&layers, [](const Layer& layer) { return layer.out; });
  return layers;
}

void set_widths(std::vector<Layer>* layers, const std::function<int64_t(const Layer&)>& out) {
  std::map<std::string, int64_t> channels = {{"image", 3}, {"center", 1}};
  for (Layer& layer : *layers) {
    int64_t in = 0;
    for (const std::string& input : layer.inputs) in += channels.at(input);
    int64_t width = in;
    if (layer.kind == LayerKind::Conv) {
      layer.in = in;
      layer.out = width = out(layer);
    }
    channels[layer.output()] = width;
  }
}

}  // namespace cpm
