// How far predicted joints are from the truth: joint by joint, and what is read off that beside PCK.
#pragma once

#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "cpm/dataset/dataset.h"
#include "cpm/evaluate.h"

namespace cpm {

/// A joint that PCK scores: labelled, of a person whose left shoulder and right hip are.
struct JointError {
  int64_t person = 0;  // record of the data set
  int joint = 0;
  double distance = 0;                                    // pixels from the truth,
  double twin = std::numeric_limits<double>::infinity();  // from its left or right twin's, where labelled
  double torso = 0;                                       // left shoulder to right hip, pixels

  bool within(double threshold) const { return distance <= threshold * torso; }
};

/// In the data set's order. `predictions` one a record.
std::vector<JointError> joint_errors(const Dataset& dataset, const std::vector<Prediction>& predictions);

/// What became of the joints of one kind.
struct JointOutcomes {
  int64_t found = 0;      // within the threshold,
  int64_t near = 0;       // within twice the threshold,
  int64_t twin = 0;       // else within it of the other side's twin,
  int64_t elsewhere = 0;  // or none of these

  int64_t all() const { return found + near + twin + elsewhere; }
};

/// By joint of the schema.
std::vector<JointOutcomes> outcomes_by_joint(const std::vector<JointError>& errors, int joints,
                                             double threshold);

struct PersonScore {
  int64_t person = 0;
  int found = 0, scored = 0;  // joints
  double mean_distance = 0;   // in torsos; infinite where a torso has no length

  double share() const { return static_cast<double>(found) / scored; }
};

/// Scored people from the best to the worst: by the share of joints found, then by mean distance, then in
/// order.
std::vector<PersonScore> rank_people(const std::vector<JointError>& errors, double threshold);

/// Of people that rank_people() ranked, the first few, those round the middle one and the last few (worst
/// first); nobody twice.
struct PeopleChoice {
  std::vector<PersonScore> best, typical, worst;
};
PeopleChoice choose_people(const std::vector<PersonScore>& ranked, int64_t worst);

/// (threshold, PCK at it: the mean over joints) at `count` thresholds up to `most`, beginning at 0.
std::vector<std::pair<double, double>> pck_curve(const std::vector<JointError>& errors, int joints,
                                                 double most, int count);

}  // namespace cpm
