// Predictions over a data set and their score. PCK@t (percentage of correct keypoints, as a fraction): a
// joint is right within t x |left shoulder - right hip| of the truth; unlabelled joints, and persons without
// those two, are left out; `mean` averages the joints' fractions.
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

struct PckResult {
  double mean = 0;
  std::vector<double> per_joint;  // 0 where no joint of that kind was scored
  std::vector<int64_t> per_joint_count;
  int64_t count = 0;  // joints scored
  double threshold = 0.2;
};

struct PredictOptions {
  int input = 368;
  int batch = 8;
  int stage = 0;                       // whose maps are read; 0: the last's
  bool flip = false;                   // add the mirrored image
  std::vector<double> scales = {1.0};  // zooms about the person
};

/// The joints a network was trained on: LSP's, or numbered ones with the names its weights carry.
JointSchema schema_of(const Model& model);

/// The whole data set, in order. `progress` (may be empty) gets the number of people done.
std::vector<Prediction> predict(StepRunner& runner, const Model& model, const Dataset& dataset,
                                const PredictOptions& options,
                                const std::function<void(int64_t)>& progress = {});

/// One crop of one image: predicted joints in image pixels, and, if asked for, the last batch's raw maps by
/// stage.
Prediction predict_crop(StepRunner& runner, const Model& model, const Image& image, const Crop& crop,
                        const JointSchema& schema, std::vector<std::vector<float>>* stage_maps);

/// `predictions` in the data set's order.
PckResult pck(const Dataset& dataset, const std::vector<Prediction>& predictions, double threshold);

/// What one gets for always answering the training people's mean pose in the crop.
PckResult mean_pose_pck(const Dataset& train, const Dataset& val, int input, double threshold);

}  // namespace cpm
