// The folder val/: what is written is read again, and cut back on resume.
#include "cpm/validations.h"

#include <cmath>
#include <fstream>

#include "tests/cpm/dataset_support.h"
#include "tests/support/catch.h"

namespace {

namespace fs = std::filesystem;

std::vector<int64_t> steps_of(const fs::path& run) {
  std::vector<int64_t> steps;
  for (const cpm::Validation& validation : cpm::read_validations(run)) steps.push_back(validation.step);
  return steps;
}

}  // namespace

TEST_CASE("validations are read by step, joints in the data set's order, and cut back") {
  const tests::TempFolder folder;
  const cpm::RunDir dir = cpm::RunDir::create(folder / "run", "t");
  const tests::SmallDataset data(2);
  std::vector<cpm::Prediction> predictions(2);
  for (auto& prediction : predictions) prediction.joints.resize(14);
  cpm::Score result;
  result.mean = 0.625;
  result.per_joint.assign(14, 0.5);
  result.per_joint[13] = 0.75;
  result.per_joint_count.assign(14, 2);
  result.per_joint_count[3] = 0;
  CHECK(cpm::read_validations(dir.path()).empty());
  for (const int64_t step : {20, 100, 3}) cpm::write_validation(dir, step, data, predictions, result);
  CHECK(fs::exists(cpm::validation_folder(dir, 20) / cpm::kOverlayFile));
  fs::create_directories(dir.path() / "val/step-00000040");  // no metrics yet
  fs::create_directories(dir.path() / "val/step-x");
  CHECK(steps_of(dir.path()) == std::vector<int64_t>{3, 20, 100});

  const cpm::Validation last = cpm::read_validations(dir.path()).back();
  CHECK(last.mean == 0.625);
  REQUIRE(last.by_joint.size() == 14);
  CHECK(last.by_joint[0].first == data.schema().names[0]);
  CHECK(last.by_joint[0].second == 0.5);
  CHECK(std::isnan(last.by_joint[3].second));
  CHECK(last.by_joint[13].second == 0.75);

  std::ofstream(cpm::validation_folder(dir, 100) / "mine") << "x";
  cpm::cut_validations(dir.path(), 3);
  CHECK(steps_of(dir.path()) == std::vector<int64_t>{3});
  CHECK_FALSE(fs::exists(cpm::validation_folder(dir, 20)));
  CHECK(fs::exists(cpm::validation_folder(dir, 100) / "mine"));  // somebody else's file stays
  CHECK(fs::exists(cpm::validation_folder(dir, 3) / "metrics.json"));

  std::ofstream(cpm::validation_folder(dir, 3) / "metrics.json") << "{";
  CHECK(tests::thrown_by([&] { cpm::read_validations(dir.path()); }).code == kernels::ExitCode::BadData);
}
