#include "cpm/hist/choice.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "cpm/stages.h"
#include "kernels/base/error.h"

namespace cpm {
namespace {

constexpr int kMostStages = 6;

std::vector<size_t> first_third_last(const std::vector<size_t>& layers) {
  if (layers.size() <= 3) return layers;
  return {layers[0], layers[2], layers.back()};
}

int last_stage(const std::vector<GradTensor>& tensors) {
  int last = 1;
  for (const GradTensor& tensor : tensors) last = std::max(last, tensor.stage);
  return last;
}

}  // namespace

std::vector<std::string> belief_path(int stages) {
  std::map<std::string, const Layer*> by_output;
  const std::vector<Layer> layers = network_layers({.stages = std::clamp(stages, 1, kMostStages)});
  for (const Layer& layer : layers) by_output[layer.output()] = &layer;
  std::vector<std::string> path;
  for (auto at = by_output.find(layers.back().output()); at != by_output.end();) {
    const Layer& layer = *at->second;
    if (layer.kind == LayerKind::Conv) path.push_back(layer.name);
    // Of what a concat joins, the beliefs of the stage before are the output that is a layer of maps.
    auto input = by_output.end();
    for (const std::string& name : layer.inputs) {
      const auto found = by_output.find(name);
      if (found == by_output.end()) continue;
      if (input == by_output.end() || found->second->output_maps) input = found;
    }
    at = input;
  }
  std::reverse(path.begin(), path.end());
  return path;
}

std::vector<std::vector<size_t>> grid_blocks(const std::vector<GradTensor>& tensors) {
  const std::vector<std::string> path = belief_path(last_stage(tensors));
  std::map<int, std::vector<size_t>> on_path, all;
  for (size_t i = 0; i < tensors.size(); ++i) {
    all[tensors[i].stage].push_back(i);
    if (std::find(path.begin(), path.end(), tensors[i].layer) != path.end()) {
      on_path[tensors[i].stage].push_back(i);
    }
  }
  std::vector<std::vector<size_t>> stages;
  for (const auto& [stage, layers] : on_path.empty() ? all : on_path)
    stages.push_back(first_third_last(layers));
  if (stages.size() > 3) stages = {stages[0], stages[stages.size() / 2], stages.back()};
  return stages;
}

int64_t epoch_of(int64_t step, const Epochs& epochs) {
  // A hair to the side: step 30 of 10 an epoch is the third's last, whatever the rounding.
  const double quotient = static_cast<double>(step) / epochs.steps;
  return static_cast<int64_t>(epochs.accumulated ? std::floor(quotient + 1e-9) : std::ceil(quotient - 1e-9));
}

StepSpan epoch_steps(int64_t epoch, const Epochs& epochs) {
  const double begin = static_cast<double>(epoch - (epochs.accumulated ? 0 : 1)) * epochs.steps;
  StepSpan span{std::max<int64_t>(1, static_cast<int64_t>(begin) - 1), 0};
  while (epoch_of(span.first, epochs) < epoch) ++span.first;
  span.last = std::max(span.first - 1, static_cast<int64_t>(begin + epochs.steps) - 2);
  while (epoch_of(span.last + 1, epochs) <= epoch) ++span.last;
  return span;
}

std::vector<StepSpan> cut(const StepSpan& span, int count) {
  const int64_t steps = span.last - span.first + 1, parts = std::min<int64_t>(count, steps);
  CPM_CHECK(steps > 0 && count > 0, "{} parts of {} steps", count, steps);
  std::vector<StepSpan> spans;
  for (int64_t i = 0; i < parts; ++i) {
    spans.push_back({span.first + i * steps / parts, span.first + (i + 1) * steps / parts - 1});
  }
  return spans;
}

double round_up(double value) {
  if (!(value > 0) || !std::isfinite(value)) return 1;
  const double power = std::pow(10.0, std::floor(std::log10(value)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= value * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

LogRange log_range(const std::vector<double>& magnitudes, double most) {
  double low = INFINITY, high = -INFINITY;
  for (const double magnitude : magnitudes) {
    if (!(magnitude > 0) || !std::isfinite(magnitude)) continue;
    low = std::min(low, std::log10(magnitude));
    high = std::max(high, std::log10(magnitude));
  }
  if (!(high >= low)) return {};
  low = std::floor(low + 1e-9) + 0.0;  // + 0.0: never "-0"
  high = std::ceil(high - 1e-9) + 0.0;
  if (high == low) high += 1;
  return {std::max(low, high - most), high};
}

}  // namespace cpm
