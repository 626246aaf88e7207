// The CPM network as a data table (Wei et al., CVPR 2016, fig. 2): every layer by name with its inputs and
// sizes. Names are those of the PyTorch reference. The model walks the table; nothing else knows the
// architecture.
//
// Stage 1 sees the image. Stage 2 has an image trunk of its own (conv1-3_stage2), whose pool3_stage2 later
// stages share. Stage t >= 2 joins 32 image features, stage t-1's belief maps and the pooled centre map.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace cpm {

inline constexpr int kMaxStages = 6;

/// "torch": max pool 3x3 stride 2 padding 1, centre pool 9x9 stride 8 padding 1 counting the padding.
/// "caffe": the release's ceil mode without padding.
enum class Pooling { Torch, Caffe };

struct NetworkConfig {
  int stages = 6;
  int joints = 14;
  double width = 1;  // an inner channel count c becomes max(1, floor(c width + 0.5))
  Pooling pooling = Pooling::Torch;
};

enum class LayerKind { Conv, MaxPool, CenterPool, Concat };

struct Layer {
  LayerKind kind = LayerKind::Conv;
  std::string name;                 // of the layer and of its output; belief maps are "stage1" ... "stageT"
  std::vector<std::string> inputs;  // "image", "center" or other layers
  int stage = 1;
  // Convolutions only:
  int64_t in = 0, out = 0, kernel = 0;
  bool relu = false;
  bool output_maps = false;  // gives belief maps: its output is named "stageT", its parameters by `name`

  /// The name under which later layers find the output.
  std::string output() const { return output_maps ? "stage" + std::to_string(stage) : name; }
  int64_t padding() const { return kernel / 2; }
};

/// All layers in an order in which inputs come before readers.
std::vector<Layer> network_layers(const NetworkConfig& config);

/// Gives the convolutions other output widths (those of a weights file) and recomputes every `in` from the
/// inputs.
void set_widths(std::vector<Layer>* layers, const std::function<int64_t(const Layer&)>& out);

}  // namespace cpm
