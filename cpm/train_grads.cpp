#include "cpm/train_grads.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace cpm {

namespace {

kernels::LinearBins linear_bins(const GradsConfig& grads) {
  return {.bins = static_cast<int>(grads.linear_bins), .range = grads.linear_range};
}

}  // namespace

TrainGrads::TrainGrads(const Config& config, const TrainData& data, TrainNet* net, Console* console)
    : config_(&config), data_(&data), net_(net), console_(console) {
  net->runner->collect({.activations = config.grads.activations, .linear = linear_bins(config.grads)});
}

void TrainGrads::open(const std::filesystem::path& folder, int64_t keep_step, TrainEvents* events) {
  const auto& weights = net_->periods.back().supervision.weights;
  const GradPlan plan{.epochs = config_->grads.accumulate == "epoch",
                      .every = config_->grads.every,
                      .linear = linear_bins(config_->grads),
                      .batch = data_->source->batch_size(),
                      .samples = data_->source->epoch_size(),
                      .run = config_->train.name,
                      .supervised = std::all_of(weights.begin(), weights.begin() + config_->model.stages,
                                                [](double weight) { return weight > 0; }),
                      .tensors = net_->runner->collected_tensors()};
  records_ = std::make_unique<GradRecords>(folder, plan, keep_step,
                                           [this](const std::string& text) { console_->warn(text); });
  records_->listen(
      [events, tensors = plan.tensors](int64_t number, int64_t step, const std::vector<GradRow>& rows) {
        events->gradients(number, step, tensors, rows);
      });
}

void TrainGrads::record(int64_t step) {
  try_to([&] { records_->add(step, wanted(step) ? net_->runner->collected() : std::vector<GradCounts>{}); });
}

void TrainGrads::flush() {
  if (!records_) return;  // no step was made
  try_to([&] { records_->flush(net_->optimizer->steps(), config_->train.keep_checkpoints); });
}

void TrainGrads::try_to(const std::function<void()>& write) {
  try {
    write();
  } catch (const kernels::Error& error) {
    console_->warn(
        fmt::format("gradients are not written at step {}: {}", net_->optimizer->steps(), error.what()));
  }
}

std::string non_finite_gradient(const Model& model) {
  const engine::Tensor gradient = engine::to_host(model.parameters().flat_grad());
  for (const engine::Parameter& p : model.parameters().all()) {
    const auto values = engine::slice_of(gradient, p.offset, p.shape).span<float>();
    const auto bad = std::count_if(values.begin(), values.end(), [](float v) { return !std::isfinite(v); });
    if (bad > 0) return fmt::format(", first in the gradient of {} ({} of {})", p.name, bad, p.shape.count());
  }
  return "";
}

}  // namespace cpm
