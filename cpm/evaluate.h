// Predictions over a data set; cpm/score.h says how right they are.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cpm/dataset/dataset.h"
#include "cpm/step_runner.h"

namespace cpm {

/// One person found: joints in pixels of the original image.
struct Prediction {
  std::string image;
  std::vector<Joint> joints;
  std::vector<double> scores;
};

struct PredictOptions {
  int input = 368;
  int batch = 8;
  int stage = 0;                       // whose maps are read; 0: the last's
  bool flip = false;                   // add the mirrored image
  std::vector<double> scales = {1.0};  // zooms about the person
};

/// The joints a network was trained on, by the names its weights carry.
JointSchema schema_of(const Model& model);

/// The whole data set, in order. `progress` (may be empty) gets the number of people done.
std::vector<Prediction> predict(StepRunner& runner, const Model& model, const Dataset& dataset,
                                const PredictOptions& options,
                                const std::function<void(int64_t)>& progress = {});

/// Every stage's maps [joints + 1, input / 8, input / 8] of one person, computed in a full batch, so that the
/// memory planned for predict() with the same options serves.
std::vector<std::vector<float>> person_beliefs(StepRunner& runner, const Model& model, const Dataset& dataset,
                                               int64_t person, const PredictOptions& options);

/// One crop of one image: predicted joints in image pixels, and, if asked for, the last batch's raw maps by
/// stage.
Prediction predict_crop(StepRunner& runner, const Model& model, const Image& image, const Crop& crop,
                        const JointSchema& schema, std::vector<std::vector<float>>* stage_maps);

}  // namespace cpm
