// PCK by hand: few people, counted fractions. Predictions go through the network's own path once.
#include "cpm/score.h"

#include <cmath>

#include "cpm/dataset/targets.h"
#include "cpm/joint_errors.h"
#include "tests/cpm/dataset_support.h"
#include "tests/cpm/network_support.h"
#include "tests/support/cpu_kernels.h"

namespace {

using cpm::Joint;
using cpm::Person;
using cpm::Prediction;

/// Given people, no images.
class People : public cpm::Dataset {
 public:
  explicit People(std::vector<Person> people) : people_(std::move(people)) {}
  int64_t size() const override { return static_cast<int64_t>(people_.size()); }
  const cpm::JointSchema& schema() const override { return cpm::lsp_schema(); }
  cpm::Record record(int64_t i) const override {
    return {.name = "person" + std::to_string(i), .person = people_[static_cast<size_t>(i)]};
  }
  cpm::Image image(int64_t) const override { return {64, 64, {128, 128, 128}}; }
  std::string description() const override { return "people"; }

 private:
  std::vector<Person> people_;
};

/// Shoulder (9) and hip (2) are 50 apart (30, 40): at 0.2 a joint may be 10 off.
Person upright() {
  Person person;
  for (int j = 0; j < 14; ++j) person.joints.push_back({10.0 * j, 5.0 * j, true});
  person.joints[9] = {100, 100, true};
  person.joints[2] = {130, 140, true};
  person.center_x = person.center_y = 32;
  return person;
}

Prediction exact(const Person& person) {
  return {.image = "", .joints = person.joints, .scores = std::vector<double>(14, 1)};
}

}  // namespace

TEST_CASE("pck: the limit is a share of shoulder to hip, and includes its end") {
  const People people({upright(), upright()});
  std::vector<Prediction> predictions = {exact(upright()), exact(upright())};
  predictions[0].joints[0].x += 10;     // exactly the limit: right
  predictions[0].joints[1].x += 10.01;  // wrong
  predictions[1].joints[1].y -= 8;
  predictions[1].joints[1].x += 6;  // at distance 10: right
  predictions[1].joints[13].x += 7.1;
  predictions[1].joints[13].y += 7.1;  // 10.04: wrong
  const cpm::Score result = cpm::pck(people, predictions, 0.2);
  CHECK(result.threshold == 0.2);
  CHECK(result.count == 28);
  std::vector<double> expected(14, 1.0);
  expected[1] = expected[13] = 0.5;
  CHECK(result.per_joint == expected);
  CHECK(result.per_joint_count == std::vector<int64_t>(14, 2));
  CHECK(result.mean == 13.0 / 14);
  CHECK(cpm::pck(people, predictions, 0.1).mean ==
        12.0 / 14);  // of 56 halves: joints 0, 1 and 13 lose 1, 2, 1
  CHECK(cpm::pck(people, predictions, 0.21).mean == 1);
}

TEST_CASE("pck: joints without a label do not count, whatever was answered") {
  Person partly = upright();
  partly.joints[5].labelled = false;
  const People people({upright(), partly});
  std::vector<Prediction> predictions = {exact(upright()), exact(partly)};
  predictions[1].joints[5] = {-900, -900, true};
  cpm::Score result = cpm::pck(people, predictions, 0.2);
  CHECK(result.mean == 1);
  CHECK(result.count == 27);
  CHECK(result.per_joint_count[5] == 1);
  CHECK(result.per_joint_count[4] == 2);
  // A kind of joint that nobody has is left out of the mean.
  result = cpm::pck(People({partly}), {predictions[1]}, 0.2);
  CHECK(result.mean == 1);
  CHECK(result.count == 13);
  CHECK(result.per_joint_count[5] == 0);
  CHECK(result.per_joint[5] == 0);
}

TEST_CASE("pck: the mean is over kinds of joints, not over joints") {
  Person few = upright();
  for (size_t j = 0; j < 14; ++j) few.joints[j].labelled = j == 0 || j == 2 || j == 9;
  const People people({upright(), few, few});
  std::vector<Prediction> predictions = {exact(upright()), exact(few), exact(few)};
  for (auto& prediction : predictions) prediction.joints[0].x += 50;
  predictions[0].joints[7].y += 50;
  const cpm::Score result = cpm::pck(people, predictions, 0.2);
  CHECK(result.count == 14 + 3 + 3);
  CHECK(result.mean == 12.0 / 14);
}

TEST_CASE("pck: persons without shoulder or hip are left out") {
  Person no_hip = upright(), no_shoulder = upright();
  no_hip.joints[2].labelled = false;
  no_shoulder.joints[9].labelled = false;
  Prediction far = exact(upright());
  for (Joint& joint : far.joints) joint.x += 1000;
  const cpm::Score result =
      cpm::pck(People({no_hip, upright(), no_shoulder}), {far, exact(upright()), far}, 0.2);
  CHECK(result.count == 14);
  CHECK(result.mean == 1);
  const cpm::Score none = cpm::pck(People({no_hip, no_shoulder}), {far, far}, 0.2);
  CHECK(none.count == 0);
  CHECK(none.mean == 0);
  CHECK(tests::thrown_by([&] { cpm::pck(People({no_hip}), {}, 0.2); }).code == kernels::ExitCode::Internal);
}

TEST_CASE("joint errors: found, nearly, on the other side, elsewhere") {
  Person no_hip = upright();
  no_hip.joints[2].labelled = false;
  const People people({no_hip, upright()});
  std::vector<Prediction> predictions = {exact(no_hip), exact(upright())};
  std::vector<Joint>& found = predictions[1].joints;  // a torso is 50 long: 10 is right, 20 is near
  found[13].y += 10;
  found[12].x += 19;
  found[0] = upright().joints[5];  // right ankle on the left one, 56 away
  found[6].y += 500;
  const std::vector<cpm::JointError> errors = cpm::joint_errors(people, predictions);
  REQUIRE(errors.size() == 14);  // the first person has no torso
  CHECK(errors[0].person == 1);
  CHECK(errors[0].torso == 50);
  CHECK(errors[0].twin == 0);
  CHECK(std::isinf(errors[13].twin));
  CHECK(errors[13].distance == 10);
  const auto outcomes = cpm::outcomes_by_joint(errors, 14, 0.2);
  CHECK(outcomes[13].found == 1);
  CHECK(outcomes[12].near == 1);
  CHECK(outcomes[0].twin == 1);
  CHECK(outcomes[6].elsewhere == 1);
  for (const auto& outcome : outcomes) CHECK(outcome.all() == 1);
  const auto curve = cpm::pck_curve(errors, 14, 0.5, 6);
  REQUIRE(curve.size() == 6);
  CHECK(curve[0] == std::pair(0.0, 10.0 / 14));
  CHECK(curve[2] == std::pair(0.2, 11.0 / 14));
  CHECK(curve[5] == std::pair(0.5, 12.0 / 14));
  CHECK(cpm::pck_curve({}, 14, 0.5, 6).empty());
}

TEST_CASE("people are ranked by joints found, then by distance, and nobody is chosen twice") {
  // Person i has i % 5 joints far off, the others i pixels.
  std::vector<Person> people(11, upright());
  std::vector<Prediction> predictions;
  for (int i = 0; i < 11; ++i) {
    predictions.push_back(exact(upright()));
    for (int j = 0; j < 14; ++j) predictions.back().joints[j].x += j < i % 5 ? 300 : i;
  }
  people[7].joints[9].labelled = false;  // not scored
  const auto ranked = cpm::rank_people(cpm::joint_errors(People(people), predictions), 0.2);
  std::vector<int64_t> order;
  for (const auto& score : ranked) order.push_back(score.person);
  CHECK(order == std::vector<int64_t>{0, 5, 10, 1, 6, 2, 3, 8, 4, 9});
  CHECK(ranked[1].found == 14);
  CHECK(std::abs(ranked[1].mean_distance - 5.0 / 50) < 1e-12);
  CHECK(ranked[9].found == 10);

  const auto numbers = [](const std::vector<cpm::PersonScore>& scores) {
    std::vector<int64_t> list;
    for (const auto& score : scores) list.push_back(score.person);
    return list;
  };
  const cpm::PeopleChoice choice = cpm::choose_people(ranked, 3);
  CHECK(numbers(choice.best) == std::vector<int64_t>{0, 5, 10});
  CHECK(numbers(choice.typical) == std::vector<int64_t>{6, 2, 3});
  CHECK(numbers(choice.worst) == std::vector<int64_t>{9, 4, 8});
  CHECK(numbers(cpm::choose_people(ranked, 100).worst) == std::vector<int64_t>{9, 4, 8, 3});
  CHECK(numbers(cpm::choose_people(ranked, 100).typical) == std::vector<int64_t>{1, 6, 2});
  CHECK(cpm::choose_people(ranked, 0).worst.empty());
  for (size_t few : {0, 1, 2}) {
    const cpm::PeopleChoice all =
        cpm::choose_people({ranked.begin(), ranked.begin() + static_cast<int>(few)}, 8);
    CHECK(all.worst.size() == few);
    CHECK(all.best.empty());
    CHECK(all.typical.empty());
  }
}

TEST_CASE("pck: always answering the mean pose") {
  // Every person stands in the same way in the crop, but at another place and size: the mean pose is right.
  std::vector<Person> people;
  for (int i = 0; i < 3; ++i) {
    Person person = upright();
    const double size = 0.5 + 0.25 * i;
    for (Joint& joint : person.joints) {
      joint.x = 300 + 50 * i + size * (joint.x - 65);
      joint.y = 200 + size * (joint.y - 60);
    }
    person.center_x = 300 + 50 * i;
    person.center_y = 200;
    person.size = size;
    people.push_back(person);
  }
  const People train({people[0], people[1]}), val({people[2]});
  const cpm::Score same = cpm::mean_pose_pck(train, val, 368, 1e-9);
  CHECK(same.mean == 1);
  CHECK(same.count == 14);
  // Another person whose ankle is elsewhere.
  people[2].joints[0].x += 30;  // half its size's 50: beyond 0.2, within 1
  const People other({people[2]});
  CHECK(cpm::mean_pose_pck(train, other, 368, 0.2).mean == 13.0 / 14);
  CHECK(cpm::mean_pose_pck(train, other, 368, 1).mean == 1);
}

TEST_CASE("predict: batches, flips and scales give one prediction a record, whatever the batch") {
  const tests::SmallDataset dataset(5);
  cpm::Model model = tests::small_model({.stages = 2, .joints = 14, .width = 1.0 / 16}, engine::DType::F32);
  model.info().joint_names = cpm::lsp_schema().names;
  CHECK(cpm::schema_of(model).flip_pairs == cpm::lsp_schema().flip_pairs);
  tests::Cpu cpu;
  const auto run = [&](const cpm::PredictOptions& options) {
    cpm::StepRunner runner(model, cpu.exec);
    std::vector<int64_t> done;
    auto predictions = cpm::predict(runner, model, dataset, options, [&](int64_t n) { done.push_back(n); });
    CHECK(done.back() == 5);
    REQUIRE(predictions.size() == 5);
    for (size_t i = 0; i < 5; ++i)
      CHECK(predictions[i].image == dataset.record(static_cast<int64_t>(i)).name);
    return predictions;
  };
  // But for rounding: the size of a convolution's tiles depends on the batch.
  const auto same = [](const std::vector<Prediction>& a, const std::vector<Prediction>& b) {
    for (size_t i = 0; i < a.size(); ++i) {
      for (size_t j = 0; j < 14; ++j) {
        if (std::abs(a[i].joints[j].x - b[i].joints[j].x) > 1e-3) return false;
        if (std::abs(a[i].joints[j].y - b[i].joints[j].y) > 1e-3) return false;
        if (std::abs(a[i].scores[j] - b[i].scores[j]) > 1e-6) return false;
      }
    }
    return true;
  };
  const auto plain = run({.input = 64, .batch = 1});
  CHECK(same(plain, run({.input = 64, .batch = 2})));
  CHECK(same(plain, run({.input = 64, .batch = 8})));
  const auto rich = run({.input = 64, .batch = 1, .flip = true, .scales = {0.8, 1.0}});
  CHECK(same(rich, run({.input = 64, .batch = 12, .flip = true, .scales = {0.8, 1.0}})));
  CHECK(!same(rich, plain));
  // One crop on its own, by the other entrance.
  cpm::StepRunner runner(model, cpu.exec);
  std::vector<std::vector<float>> maps;
  const auto record = dataset.record(3);
  const Prediction alone = cpm::predict_crop(runner, model, dataset.image(3),
                                             cpm::person_crop(record.person, 64), dataset.schema(), &maps);
  CHECK(same({alone}, {plain[3]}));
  REQUIRE(maps.size() == 2);
  CHECK(maps[1].size() == 15 * 8 * 8);
}
