#include "cpm/train_validation.h"

#include <fmt/format.h>

#include "cpm/validations.h"

namespace cpm {

TrainValidation::TrainValidation(const Config& config, const TrainData& data, TrainNet* net, Console* console)
    : config_(&config), data_(&data), net_(net), console_(console) {}

void TrainValidation::prepare() {
  if (!data_->val || predictor_) return;
  mean_pose_ =
      mean_pose_pck(*data_->train, *data_->val, static_cast<int>(config_->data.input), kPckThreshold).mean;
  predictor_ = std::make_unique<StepRunner>(*net_->model, net_->device.exec);
  predictor_->follow(net_->rows, [this](const std::string& text) { console_->warn(text); });
  predictor_->prepare(validation_shapes(*config_), {}, false);
}

void TrainValidation::add_rows(std::map<std::string, std::string>* chosen) const {
  if (predictor_) chosen->merge(predictor_->plan().chosen());
}

void TrainValidation::run(const RunDir& dir, int64_t step, bool last) {
  if (!data_->val) return;
  prepare();
  const int stage = period_of(net_->periods, step).supervision.last();  // later ones have not learned yet
  predictions_ = predict(*predictor_, *net_->model, *data_->val,
                         {.input = static_cast<int>(config_->data.input), .stage = stage});
  result_ = pck(*data_->val, predictions_, kPckThreshold);
  console_->line(fmt::format(
      "step {}  validation PCK@0.2 {:.3f} over {} joints{} (mean pose {:.3f})", step, result_->mean,
      result_->count, stage < config_->model.stages ? fmt::format(" by stage {}", stage) : "", *mean_pose_));
  try {
    write_validation(dir, step, *data_->val, predictions_, *result_);
  } catch (const kernels::Error& error) {
    if (last) throw;
    console_->warn(fmt::format("no pictures of step {}: {}", step, error.what()));
  }
}

}  // namespace cpm
