// COCO's keypoint evaluation (see score.h). Its only constants beside the sigmas: 20 predictions an image,
// 101 recalls, and one epsilon under each quotient.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "cpm/score.h"
#include "kernels/base/error.h"

namespace cpm {
namespace {

constexpr size_t kMostAnImage = 20;
constexpr int kRecalls = 101;
constexpr double kEpsilon = std::numeric_limits<double>::epsilon();

/// exp(-e) of one joint; 0 where the truth has no label.
double joint_similarity(const Person& truth, const JointSchema& schema, size_t joint, const Joint& found) {
  const Joint& there = truth.joints[joint];
  if (!there.labelled) return 0;
  const double twice = 2 * schema.oks_sigmas[joint];
  const double dx = found.x - there.x, dy = found.y - there.y;
  return std::exp(-(dx * dx + dy * dy) / (twice * twice) / (truth.area + kEpsilon) / 2);
}

double person_oks(const Person& truth, const JointSchema& schema, const std::vector<Joint>& found) {
  double sum = 0;
  int labelled = 0;
  for (size_t j = 0; j < truth.joints.size(); ++j) {
    sum += joint_similarity(truth, schema, j, found[j]);
    labelled += truth.joints[j].labelled ? 1 : 0;
  }
  return labelled > 0 ? sum / labelled : 0;
}

/// The people of one image and what was found there, the highest score first.
struct Picture {
  std::vector<size_t> people;  // places in the data set
  std::vector<size_t> found;
  std::vector<std::vector<double>> oks;  // [found][people]
};

/// A prediction in the ranking of all images.
struct Ranked {
  double score = 0;
  bool right = false;
};

double score_of(const Prediction& prediction) {
  const std::vector<double>& scores = prediction.scores;
  return scores.empty()
             ? 0
             : std::accumulate(scores.begin(), scores.end(), 0.0) / static_cast<double>(scores.size());
}

/// Which of a picture's predictions meet a person at this threshold.
std::vector<bool> match(const Picture& picture, double threshold) {
  std::vector<bool> taken(picture.people.size(), false), right;
  for (const std::vector<double>& oks_to : picture.oks) {
    double best = std::min(threshold, 1 - 1e-10);
    size_t met = taken.size();
    for (size_t person = 0; person < taken.size(); ++person) {
      if (taken[person] || oks_to[person] < best) continue;
      best = oks_to[person];
      met = person;
    }
    right.push_back(met < taken.size());
    if (right.back()) taken[met] = true;
  }
  return right;
}

/// Area under precision over recall, read at 101 recalls.
double average_precision(std::vector<Ranked> ranking, size_t people) {
  std::stable_sort(ranking.begin(), ranking.end(),
                   [](const Ranked& a, const Ranked& b) { return a.score > b.score; });
  std::vector<double> recall, precision;
  double right = 0, wrong = 0;
  for (const Ranked& prediction : ranking) {
    (prediction.right ? right : wrong) += 1;
    recall.push_back(right / static_cast<double>(people));
    precision.push_back(right / (right + wrong + kEpsilon));
  }
  for (size_t i = precision.size(); i-- > 1;) precision[i - 1] = std::max(precision[i - 1], precision[i]);
  double sum = 0;
  for (int i = 0; i < kRecalls; ++i) {
    const auto at = std::lower_bound(recall.begin(), recall.end(), i * 0.01);
    if (at != recall.end()) sum += precision[static_cast<size_t>(at - recall.begin())];
  }
  return sum / kRecalls;
}

}  // namespace

std::vector<double> oks_thresholds() {
  std::vector<double> thresholds;
  for (int i = 0; i < 10; ++i) thresholds.push_back(0.5 + i * ((0.95 - 0.5) / 9));
  return thresholds;
}

Score oks(const Dataset& dataset, const std::vector<Prediction>& predictions) {
  const JointSchema& schema = dataset.schema();
  const auto joints = static_cast<size_t>(schema.count());
  CPM_CHECK(schema.oks_sigmas.size() == joints, "{} sigmas for {} joints", schema.oks_sigmas.size(), joints);
  CPM_CHECK(static_cast<int64_t>(predictions.size()) == dataset.size(), "{} predictions for {} people",
            predictions.size(), dataset.size());
  Score result{.metric = Metric::Oks, .count = dataset.size()};
  result.per_joint.assign(joints, 0);
  result.per_joint_count.assign(joints, 0);
  std::vector<Person> people;
  std::map<std::string, Picture> pictures;
  std::vector<double> scores;
  for (size_t i = 0; i < predictions.size(); ++i) {
    Record record = dataset.record(static_cast<int64_t>(i));
    pictures[record.name].people.push_back(i);
    people.push_back(std::move(record.person));
    scores.push_back(score_of(predictions[i]));
    for (size_t j = 0; j < joints; ++j) {
      if (!people[i].joints[j].labelled) continue;
      result.per_joint[j] += joint_similarity(people[i], schema, j, predictions[i].joints[j]);
      ++result.per_joint_count[j];
    }
    result.mean_oks += person_oks(people[i], schema, predictions[i].joints);
  }
  for (size_t j = 0; j < joints; ++j)
    result.per_joint[j] /= static_cast<double>(std::max<int64_t>(1, result.per_joint_count[j]));
  result.mean_oks /= std::max(1.0, static_cast<double>(people.size()));

  for (auto& [name, picture] : pictures) {
    picture.found = picture.people;
    std::stable_sort(picture.found.begin(), picture.found.end(),
                     [&](size_t a, size_t b) { return scores[a] > scores[b]; });
    if (picture.found.size() > kMostAnImage) picture.found.resize(kMostAnImage);
    for (const size_t found : picture.found) {
      picture.oks.emplace_back();
      for (const size_t person : picture.people)
        picture.oks.back().push_back(person_oks(people[person], schema, predictions[found].joints));
    }
  }
  for (const double threshold : oks_thresholds()) {
    std::vector<Ranked> ranking;
    for (const auto& [name, picture] : pictures) {
      const std::vector<bool> right = match(picture, threshold);
      for (size_t i = 0; i < right.size(); ++i) ranking.push_back({scores[picture.found[i]], right[i]});
    }
    result.ap.push_back(average_precision(std::move(ranking), people.size()));
    result.mean += result.ap.back() / 10;
  }
  return result;
}

}  // namespace cpm
