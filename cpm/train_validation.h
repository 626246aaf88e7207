// Validation of one training run, while it goes on and at its end.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cpm/score.h"
#include "cpm/train_session.h"

namespace cpm {

class TrainValidation {
 public:
  /// Without validation data nothing is ever done. All must outlive this.
  TrainValidation(const Config& config, const TrainData& data, TrainNet* net, Console* console);

  /// Takes validation's memory and finds the mean pose's score: before step 0, not hours later.
  void prepare();
  /// The convolution rows of validation, beside those of training.
  void add_rows(std::map<std::string, std::string>* chosen) const;
  /// Predicts, scores, prints, and writes val/step-NNNNNNNN/. What cannot be written is a warning, unless
  /// `step` is the last.
  void run(const RunDir& dir, int64_t step, bool last);

  /// Of the last validation; empty before the first one.
  const std::vector<Prediction>& predictions() const { return predictions_; }
  const std::optional<Score>& result() const { return result_; }
  const std::optional<double>& mean_pose() const { return mean_pose_; }
  /// Null before prepare() and without data.
  StepRunner* predictor() const { return predictor_.get(); }

 private:
  const Config* config_;
  const TrainData* data_;
  TrainNet* net_;
  Console* console_;
  std::unique_ptr<StepRunner> predictor_;
  std::vector<Prediction> predictions_;
  std::optional<Score> result_;
  std::optional<double> mean_pose_;
};

}  // namespace cpm
