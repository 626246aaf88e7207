#include "cpm/joint_errors.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "cpm/score.h"

namespace cpm {

namespace {

double distance(const Joint& a, const Joint& b) {
  return std::hypot(a.x - b.x, a.y - b.y);
}

/// The other side's joint of the same kind, -1 where there is none.
std::vector<int> twins_of(const JointSchema& schema) {
  std::vector<int> twins(static_cast<size_t>(schema.count()), -1);
  for (const auto& [a, b] : schema.flip_pairs) {
    twins.at(static_cast<size_t>(a)) = b;
    twins.at(static_cast<size_t>(b)) = a;
  }
  return twins;
}

}  // namespace

std::vector<JointError> joint_errors(const Dataset& dataset, const std::vector<Prediction>& predictions) {
  CPM_CHECK(static_cast<int64_t>(predictions.size()) == dataset.size(), "{} predictions for {} people",
            predictions.size(), dataset.size());
  const JointSchema& schema = dataset.schema();
  std::vector<JointError> errors;
  const std::vector<int> twins = twins_of(schema);
  for (int64_t i = 0; i < dataset.size(); ++i) {
    const Person person = dataset.record(i).person;
    const std::vector<Joint>& truth = person.joints;
    const std::vector<Joint>& found = predictions[static_cast<size_t>(i)].joints;
    const double unit = torso(person, schema);
    if (unit < 0) continue;
    for (size_t j = 0; j < truth.size(); ++j) {
      if (!truth[j].labelled) continue;
      JointError error{
          .person = i, .joint = static_cast<int>(j), .distance = distance(truth[j], found[j]), .torso = unit};
      const int twin = twins[j];
      if (twin >= 0 && truth[static_cast<size_t>(twin)].labelled)
        error.twin = distance(truth[static_cast<size_t>(twin)], found[j]);
      errors.push_back(error);
    }
  }
  return errors;
}

std::vector<JointOutcomes> outcomes_by_joint(const std::vector<JointError>& errors, int joints,
                                             double threshold) {
  std::vector<JointOutcomes> result(static_cast<size_t>(joints));
  for (const JointError& error : errors) {
    JointOutcomes& outcomes = result.at(static_cast<size_t>(error.joint));
    if (error.within(threshold)) {
      ++outcomes.found;
    } else if (error.within(2 * threshold)) {
      ++outcomes.near;
    } else if (error.twin <= threshold * error.torso) {
      ++outcomes.twin;
    } else {
      ++outcomes.elsewhere;
    }
  }
  return result;
}

std::vector<PersonScore> rank_people(const std::vector<JointError>& errors, double threshold) {
  std::vector<PersonScore> people;
  for (const JointError& error : errors) {
    if (people.empty() || people.back().person != error.person) people.push_back({.person = error.person});
    PersonScore& person = people.back();
    ++person.scored;
    person.found += error.within(threshold) ? 1 : 0;
    person.mean_distance += error.torso > 0 ? error.distance / error.torso : INFINITY;
  }
  for (PersonScore& person : people) person.mean_distance /= person.scored;
  std::stable_sort(people.begin(), people.end(), [](const PersonScore& a, const PersonScore& b) {
    return a.share() != b.share() ? a.share() > b.share() : a.mean_distance < b.mean_distance;
  });
  return people;
}

PeopleChoice choose_people(const std::vector<PersonScore>& ranked, int64_t worst) {
  constexpr int64_t kFew = 4;
  const auto all = static_cast<int64_t>(ranked.size()), few = std::min(kFew, all / 3);
  worst = std::clamp<int64_t>(worst, 0, all - 2 * few);
  const int64_t typical = std::clamp(all / 2 - few / 2, few, all - worst - few);
  PeopleChoice choice;
  std::copy_n(ranked.begin(), few, std::back_inserter(choice.best));
  std::copy_n(ranked.begin() + typical, few, std::back_inserter(choice.typical));
  std::copy_n(ranked.rbegin(), worst, std::back_inserter(choice.worst));
  return choice;
}

std::vector<std::pair<double, double>> pck_curve(const std::vector<JointError>& errors, int joints,
                                                 double most, int count) {
  std::vector<std::pair<double, double>> curve;
  for (int i = 0; i < count; ++i) {
    const double threshold = most * i / (count - 1);
    double sum = 0;
    int kinds = 0;
    for (const JointOutcomes& outcomes : outcomes_by_joint(errors, joints, threshold)) {
      if (outcomes.all() == 0) continue;
      sum += static_cast<double>(outcomes.found) / static_cast<double>(outcomes.all());
      ++kinds;
    }
    if (kinds > 0) curve.emplace_back(threshold, sum / kinds);
  }
  return curve;
}

}  // namespace cpm
