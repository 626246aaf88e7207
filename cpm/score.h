// How right predictions are. Joints are compared in pixels of the original image; a joint without a label is
// left out.
//   PCK@t   right within t x |left shoulder - right hip| of the truth; persons without those two are left out
//           (as in the CPM release, whose t for LSP is 0.2). The mean is over kinds of joints.
//   PCKh@t  right within t x the head's size (Andriluka et al., CVPR 2014; t = 0.5); persons without one are
//           left out. The mean is over all joints but pelvis and thorax, as in HRNet's and mmpose's
//           evaluation.
//   OKS     object keypoint similarity (cocodataset.org, "Keypoint Evaluation"): a person's is the mean over
//           joints of exp(-d^2 / (2 area (2 sigma)^2)). The mean is AP over thresholds 0.50, 0.55, ..., 0.95.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cpm/evaluate.h"

namespace cpm {

struct Score {
  Metric metric = Metric::Pck;
  double mean = 0;
  std::vector<double> per_joint;         // fractions; OKS: mean similarities; 0 where nothing was scored
  std::vector<int64_t> per_joint_count;  // joints scored
  int64_t count = 0;                     // joints in the mean; OKS: persons
  double threshold = 0.2;                // PCK, PCKh
  std::vector<double> ap;                // OKS: average precision at each of oks_thresholds()
  double mean_oks = 0;                   // OKS: over persons
};

/// PCK's threshold where nobody asks for another, and of validations during training.
inline constexpr double kPckThreshold = 0.2;
/// 0.50, 0.55, ..., 0.95.
std::vector<double> oks_thresholds();

/// |left shoulder - right hip|, what PCK measures errors in, pixels; -1 where one of them has no label.
double torso(const Person& truth, const JointSchema& schema);

// `predictions` are in the data set's order.

Score pck(const Dataset& dataset, const std::vector<Prediction>& predictions, double threshold);
Score pckh(const Dataset& dataset, const std::vector<Prediction>& predictions, double threshold);

/// AP by COCO's own procedure for the persons of the data set alone: of an image, the 20 predictions of the
/// highest score (the mean of its joints' scores) are matched in that order to the free person of the largest
/// OKS that reaches the threshold; precision, made non-increasing, is averaged over recalls 0, 0.01, ..., 1.
/// Each prediction was made where a person is, so this is AP given the true boxes. The schema has sigmas.
Score oks(const Dataset& dataset, const std::vector<Prediction>& predictions);

/// "pck", "pckh", "oks".
std::string name_of(Metric metric);
/// By name; "auto" is the data set's own. Usage where the data set's joints do not have it.
Metric parse_metric(const std::string& name, const JointSchema& schema);
/// By `metric`; without a threshold: 0.2 for PCK, 0.5 for PCKh.
Score score(const Dataset& dataset, const std::vector<Prediction>& predictions, Metric metric,
            std::optional<double> threshold);

/// What one gets for always answering the training people's mean pose in the crop.
Score mean_pose_pck(const Dataset& train, const Dataset& val, int input, double threshold);

}  // namespace cpm
