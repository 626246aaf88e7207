// PCK, PCKh and OKS against data/golden/scores.json, which tests/tools/test_scores.py computes from the
// definitions; which data have which metric. PCK by hand is in evaluate_test.cpp.
#include "cpm/score.h"

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/cpm/dataset_support.h"
#include "tests/support/catch.h"

using nlohmann::json;

namespace {

/// The file's people under a schema.
class GoldenPeople : public cpm::Dataset {
 public:
  GoldenPeople(const json& people, const cpm::JointSchema& schema) : people_(people), schema_(schema) {}
  int64_t size() const override { return static_cast<int64_t>(people_.size()); }
  const cpm::JointSchema& schema() const override { return schema_; }
  cpm::Image image(int64_t) const override { return {8, 8, {0, 0, 0}}; }
  std::string description() const override { return "golden"; }
  cpm::Record record(int64_t i) const override {
    const json& from = people_[static_cast<size_t>(i)];
    cpm::Record record{.name = from["image"]};
    for (const json& j : from["truth"]) record.person.joints.push_back({j[0], j[1], j[2] > 0});
    record.person.area = from["area"];
    record.person.head_size = from["head"];
    return record;
  }

  std::vector<cpm::Prediction> predictions() const {
    std::vector<cpm::Prediction> predictions;
    for (const json& from : people_) {
      predictions.push_back({.image = from["image"], .scores = from["scores"].get<std::vector<double>>()});
      for (const json& j : from["found"]) predictions.back().joints.push_back({j[0], j[1], true});
    }
    return predictions;
  }

 private:
  const json& people_;
  const cpm::JointSchema& schema_;
};

json golden() {
  std::ifstream file(CPM_SOURCE_DIR "/data/golden/scores.json");
  return json::parse(file);
}

void check_near(const std::vector<double>& got, const json& want) {
  REQUIRE(got.size() == want.size());
  for (size_t i = 0; i < got.size(); ++i) CHECK(std::abs(got[i] - want[i].get<double>()) <= 1e-9);
}

void check_shares(const cpm::Score& got, const json& want) {
  CHECK(got.count == want["count"]);
  CHECK(std::abs(got.mean - want["mean"].get<double>()) <= 1e-9);
  CHECK(got.per_joint_count == want["per_joint_count"].get<std::vector<int64_t>>());
  for (size_t j = 0; j < got.per_joint.size(); ++j) {
    const auto n = static_cast<double>(got.per_joint_count[j]);
    CHECK(std::abs(got.per_joint[j] * n - want["right"][j].get<double>()) <= 1e-9);
  }
}

}  // namespace

TEST_CASE("scores: OKS and PCK of COCO's people") {
  const json file = golden();
  const GoldenPeople people(file["coco"]["people"], cpm::coco_schema());
  const json& want = file["coco"]["oks"];
  const cpm::Score got = cpm::score(people, people.predictions(), cpm::Metric::Oks, {});
  CHECK(std::abs(got.mean - want["mean"].get<double>()) <= 1e-9);
  CHECK(std::abs(got.mean_oks - want["mean_oks"].get<double>()) <= 1e-9);
  CHECK(got.count == want["count"]);
  check_near(got.ap, want["ap"]);
  check_near(got.per_joint, want["per_joint"]);
  check_shares(cpm::score(people, people.predictions(), cpm::Metric::Pck, {}), file["coco"]["pck"]);
}

TEST_CASE("scores: PCKh and PCK of MPII's people") {
  const json file = golden();
  const GoldenPeople people(file["mpii"]["people"], cpm::mpii_schema());
  check_shares(cpm::score(people, people.predictions(), cpm::Metric::Pckh, {}), file["mpii"]["pckh"]);
  check_shares(cpm::score(people, people.predictions(), cpm::Metric::Pck, 0.2), file["mpii"]["pck"]);
}

TEST_CASE("scores: right answers score one, and nobody scores nothing") {
  const json file = golden();
  const GoldenPeople people(file["coco"]["people"], cpm::coco_schema());
  std::vector<cpm::Prediction> exact = people.predictions();
  for (size_t i = 0; i < exact.size(); ++i)
    exact[i].joints = people.record(static_cast<int64_t>(i)).person.joints;
  const cpm::Score score = cpm::oks(people, exact);
  CHECK(std::abs(score.mean_oks - 1) < 1e-12);
  // One image has 23 people, of whom 20 count: a recall of 28 / 31.
  CHECK(score.ap == std::vector<double>(10, score.ap[0]));
  CHECK(std::abs(score.ap[0] - 91.0 / 101) < 1e-12);
  const json none = json::array();
  const GoldenPeople nobody(none, cpm::coco_schema());
  CHECK(cpm::oks(nobody, {}).mean == 0);
  CHECK(cpm::pckh(nobody, {}, 0.5).mean == 0);
}

TEST_CASE("scores: the metric fits the data") {
  using cpm::Metric;
  CHECK(cpm::parse_metric("auto", cpm::coco_schema()) == Metric::Oks);
  CHECK(cpm::parse_metric("auto", cpm::mpii_schema()) == Metric::Pckh);
  CHECK(cpm::parse_metric("auto", cpm::lsp_schema()) == Metric::Pck);
  CHECK(cpm::parse_metric("pck", cpm::coco_schema()) == Metric::Pck);
  const auto refused = [](const std::string& name, const cpm::JointSchema& schema) {
    const auto error = tests::thrown_by([&] { cpm::parse_metric(name, schema); });
    CHECK(error.code == kernels::ExitCode::Usage);
    CHECK(tests::says(error, "--metric"));
    return error;
  };
  refused("oks", cpm::mpii_schema());
  refused("pckh", cpm::lsp_schema());
  refused("pck", cpm::numbered_schema(3));
  CHECK(tests::says(refused("okks", cpm::coco_schema()), "did you mean oks?"));
}
