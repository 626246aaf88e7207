#include "cpm/score.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cpm/dataset/loader.h"
#include "kernels/base/error.h"
#include "kernels/base/nearest.h"

namespace cpm {

namespace {

/// What a joint's error is measured in, for a person; below 0: the person does not count.
using Normaliser = std::function<double(const Person&)>;

/// Joints right and scored, by kind.
struct Tally {
  std::vector<int64_t> right, count;
};

Tally count_right(const Dataset& dataset, const std::vector<Prediction>& predictions, double threshold,
                  const Normaliser& unit) {
  CPM_CHECK(static_cast<int64_t>(predictions.size()) == dataset.size(), "{} predictions for {} people",
            predictions.size(), dataset.size());
  const auto joints = static_cast<size_t>(dataset.schema().count());
  Tally tally{std::vector<int64_t>(joints, 0), std::vector<int64_t>(joints, 0)};
  for (int64_t i = 0; i < dataset.size(); ++i) {
    const Person truth = dataset.record(i).person;
    const std::vector<Joint>& found = predictions[static_cast<size_t>(i)].joints;
    const double limit = threshold * unit(truth);
    if (!(limit >= 0)) continue;
    for (size_t j = 0; j < joints; ++j) {
      const Joint& joint = truth.joints[j];
      if (!joint.labelled) continue;
      ++tally.count[j];
      tally.right[j] += std::hypot(joint.x - found[j].x, joint.y - found[j].y) <= limit ? 1 : 0;
    }
  }
  return tally;
}

Score score_of(const Tally& tally, Metric metric, double threshold) {
  Score score{.metric = metric, .per_joint_count = tally.count, .threshold = threshold};
  for (size_t j = 0; j < tally.count.size(); ++j) {
    const int64_t n = tally.count[j];
    score.per_joint.push_back(n == 0 ? 0 : static_cast<double>(tally.right[j]) / static_cast<double>(n));
  }
  return score;
}

}  // namespace

double torso(const Person& truth, const JointSchema& schema) {
  if (schema.left_shoulder < 0 || schema.right_hip < 0) return -1;
  const Joint& shoulder = truth.joints[static_cast<size_t>(schema.left_shoulder)];
  const Joint& hip = truth.joints[static_cast<size_t>(schema.right_hip)];
  return shoulder.labelled && hip.labelled ? std::hypot(shoulder.x - hip.x, shoulder.y - hip.y) : -1;
}

Score pck(const Dataset& dataset, const std::vector<Prediction>& predictions, double threshold) {
  const Tally tally = count_right(dataset, predictions, threshold,
                                  [&](const Person& person) { return torso(person, dataset.schema()); });
  Score score = score_of(tally, Metric::Pck, threshold);
  int kinds = 0;
  for (size_t j = 0; j < tally.count.size(); ++j) {
    score.mean += score.per_joint[j];
    score.count += tally.count[j];
    kinds += tally.count[j] > 0 ? 1 : 0;
  }
  if (kinds > 0) score.mean /= kinds;
  return score;
}

Score pckh(const Dataset& dataset, const std::vector<Prediction>& predictions, double threshold) {
  const Tally tally = count_right(dataset, predictions, threshold, [](const Person& person) {
    return person.head_size > 0 ? person.head_size : -1;
  });
  Score score = score_of(tally, Metric::Pckh, threshold);
  const std::vector<int>& left_out = dataset.schema().pckh_left_out;
  int64_t right = 0;
  for (size_t j = 0; j < tally.count.size(); ++j) {
    if (std::find(left_out.begin(), left_out.end(), static_cast<int>(j)) != left_out.end()) continue;
    right += tally.right[j];
    score.count += tally.count[j];
  }
  if (score.count > 0) score.mean = static_cast<double>(right) / static_cast<double>(score.count);
  return score;
}

std::string name_of(Metric metric) {
  switch (metric) {
    case Metric::Pck:
      return "pck";
    case Metric::Pckh:
      return "pckh";
    case Metric::Oks:
      break;
  }
  return "oks";
}

Metric parse_metric(const std::string& name, const JointSchema& schema) {
  if (name == "auto") return schema.metric;
  const auto refuse = [&](const std::string& what, const std::string& expected, const std::string& hint) {
    throw kernels::Error(
        kernels::ExitCode::Usage,
        {.where = "--metric", .what = what, .expected = expected, .got = name, .hint = hint});
  };
  for (const Metric metric : {Metric::Pck, Metric::Pckh, Metric::Oks}) {
    if (name != name_of(metric)) continue;
    if (metric == Metric::Oks && schema.oks_sigmas.empty())
      refuse("the data's joints have no sigmas", "oks for COCO's 17 joints", "auto takes the data's own");
    if (metric == Metric::Pckh && schema.metric != Metric::Pckh)
      refuse("the data has no head sizes", "pckh for mpii: data", "auto takes the data's own");
    if (metric == Metric::Pck && (schema.left_shoulder < 0 || schema.right_hip < 0))
      refuse("the data has no joints left_shoulder and right_hip", "both, to measure errors by", "");
    return metric;
  }
  const std::string nearest = kernels::nearest_name(name, {"pck", "pckh", "oks", "auto"});
  refuse("unknown metric", "pck, pckh, oks or auto",
         nearest.empty() ? "" : fmt::format("did you mean {}?", nearest));
  return schema.metric;
}

Score score(const Dataset& dataset, const std::vector<Prediction>& predictions, Metric metric,
            std::optional<double> threshold) {
  if (metric == Metric::Oks) return oks(dataset, predictions);
  if (metric == Metric::Pckh) return pckh(dataset, predictions, threshold.value_or(0.5));
  return pck(dataset, predictions, threshold.value_or(kPckThreshold));
}

Score mean_pose_pck(const Dataset& train, const Dataset& val, int input, double threshold) {
  const auto joints = static_cast<size_t>(train.schema().count());
  std::vector<Joint> mean(joints);
  std::vector<int64_t> count(joints, 0);
  for (int64_t i = 0; i < train.size(); ++i) {
    const Person person = train.record(i).person;
    const InputPerson seen = person_in_input(person, train.schema(), person_crop(person, input));
    for (size_t j = 0; j < joints; ++j) {
      if (!seen.joints[j].labelled) continue;
      mean[j].x += seen.joints[j].x;
      mean[j].y += seen.joints[j].y;
      ++count[j];
    }
  }
  for (size_t j = 0; j < joints; ++j) {
    mean[j].x /= static_cast<double>(std::max<int64_t>(1, count[j]));
    mean[j].y /= static_cast<double>(std::max<int64_t>(1, count[j]));
  }
  std::vector<Prediction> predictions;
  for (int64_t i = 0; i < val.size(); ++i) {
    const Crop crop = person_crop(val.record(i).person, input);
    Prediction prediction;
    for (const Joint& joint : mean) {
      Joint there{.labelled = true};
      crop.to_image(joint.x, joint.y, &there.x, &there.y);
      prediction.joints.push_back(there);
    }
    predictions.push_back(std::move(prediction));
  }
  return pck(val, predictions, threshold);
}

}  // namespace cpm
