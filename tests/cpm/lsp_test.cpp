// Leeds Sports Pose: small files written here in both shapes, then, where it is there, the real extended set.
#include <cmath>
#include <limits>

#include "cpm/dataset/dataset.h"
#include "tests/cpm/dataset_support.h"
#include "tests/support/catch.h"

using tests::says;
using tests::TempFolder;
using tests::thrown_by;
using tests::write_mat;

namespace {

double x_of(int record, int joint) {
  return 10 + 3 * joint + 100 * record;
}
double y_of(int record, int joint) {
  return 50 + 7 * joint + record;
}

/// joints.mat with x_of, y_of and flag(record, joint), as LSP [3, 14, n] or LSPet [14, 3, n].
template <class Flag>
std::vector<double> table(bool extended, int records, Flag flag) {
  std::vector<double> values(static_cast<size_t>(42 * records));
  for (int n = 0; n < records; ++n) {
    for (int j = 0; j < 14; ++j) {
      const double fields[3] = {x_of(n, j), y_of(n, j), static_cast<double>(flag(n, j))};
      for (int f = 0; f < 3; ++f) {
        values[static_cast<size_t>(42 * n + (extended ? j + 14 * f : f + 3 * j))] = fields[f];
      }
    }
  }
  return values;
}

cpm::DataSpec lsp_spec(const TempFolder& folder) {
  cpm::DataSpec spec;
  spec.kind = cpm::DataSpec::Kind::Lsp;
  spec.file = folder / "joints.mat";
  spec.images = folder / "images";
  std::filesystem::create_directories(spec.images);
  return spec;
}

void check_joints(const cpm::Record& record, int number) {
  REQUIRE(record.person.joints.size() == 14);
  for (int j = 0; j < 14; ++j) {
    CHECK(record.person.joints[static_cast<size_t>(j)].x == x_of(number, j) - 1);
    CHECK(record.person.joints[static_cast<size_t>(j)].y == y_of(number, j) - 1);
  }
}

}  // namespace

TEST_CASE("LSP: flags say occluded, and occluded joints are labels") {
  const TempFolder folder;
  const cpm::DataSpec spec = lsp_spec(folder);
  write_mat(spec.file, "joints", {3, 14, 3}, table(false, 3, [](int, int j) { return j % 2; }));
  const auto data = cpm::open_dataset(spec);
  REQUIRE(data->size() == 3);
  CHECK(data->schema().count() == 14);
  for (int n = 0; n < 3; ++n) {
    const cpm::Record record = data->record(n);
    check_joints(record, n);
    for (const cpm::Joint& joint : record.person.joints) CHECK(joint.labelled);
    CHECK(record.name == "im000" + std::to_string(n + 1) + ".jpg");
    CHECK(record.others.empty());
    // The box of all joints: x from 10 to 49, y from 50 to 141, then one less for the file's counting.
    CHECK(std::abs(record.person.center_x - (29.5 + 100 * n - 1)) < 1e-12);
    CHECK(std::abs(record.person.center_y - (95.5 + n - 1)) < 1e-12);
    CHECK(std::abs(record.person.size - 91.0 / 200) < 1e-12);
  }
  CHECK(data->description() == "lsp joints.mat 1-3: 3 people");
}

TEST_CASE("LSPet: flags say labelled, people without labels are left out and counted") {
  const TempFolder folder;
  cpm::DataSpec spec = lsp_spec(folder);
  // Record 1: joints 4 and 5 alone; record 2: none; record 3: one; record 4: all.
  write_mat(spec.file, "joints", {14, 3, 4}, table(true, 4, [](int n, int j) {
              return n == 3 || (n == 0 && (j == 4 || j == 5)) || (n == 2 && j == 0) ? 1.0 : 0.0;
            }));
  const auto data = cpm::open_dataset(spec);
  REQUIRE(data->size() == 3);
  CHECK(data->description() == "lsp joints.mat 1-4: 3 people, 1 without a labelled joint left out");
  const cpm::Record first = data->record(0), second = data->record(1), third = data->record(2);
  CHECK(first.name == "im00001.jpg");
  CHECK(second.name == "im00003.jpg");
  CHECK(third.name == "im00004.jpg");
  check_joints(first, 0);
  check_joints(third, 3);
  for (size_t j = 0; j < 14; ++j) {
    CHECK(first.person.joints[j].labelled == (j == 4 || j == 5));
    CHECK(second.person.joints[j].labelled == (j == 0));
  }
  CHECK(std::abs(first.person.center_x - (23.5 - 1)) < 1e-12);
  CHECK(std::abs(first.person.center_y - (81.5 - 1)) < 1e-12);
  // Boxes of 7 pixels and of none: a least size keeps the crop's scale finite.
  CHECK(first.person.size == 0.05);
  CHECK(second.person.size == 0.05);
  CHECK(second.person.center_x == x_of(2, 0) - 1);

  spec.first = 3;
  spec.last = 4;
  const auto part = cpm::open_dataset(spec);
  REQUIRE(part->size() == 2);
  CHECK(part->record(0).name == "im00003.jpg");
  spec.last = 5;
  const auto error = thrown_by([&] { cpm::open_dataset(spec); });
  CHECK(error.code == kernels::ExitCode::Usage);
  CHECK(says(error, "4 records"));
  spec.first = spec.last = 2;
  CHECK(says(thrown_by([&] { cpm::open_dataset(spec); }), "no person with a labelled joint"));
}

TEST_CASE("a table of one record may have two axes") {
  const TempFolder folder;
  const cpm::DataSpec spec = lsp_spec(folder);
  write_mat(spec.file, "joints", {14, 3}, table(true, 1, [](int, int) { return 1.0; }));
  const auto data = cpm::open_dataset(spec);
  REQUIRE(data->size() == 1);
  check_joints(data->record(0), 0);
}

TEST_CASE("LSP images: .png where there is no .jpg, and a missing one is named") {
  const TempFolder folder;
  const cpm::DataSpec spec = lsp_spec(folder);
  write_mat(spec.file, "joints", {14, 3, 2}, table(true, 2, [](int, int) { return 1.0; }));
  cpm::write_png(spec.images / "im00002.png", cpm::Image(5, 4, {10, 20, 30}));
  const auto data = cpm::open_dataset(spec);
  CHECK(data->record(1).name == "im00002.png");
  const cpm::Image image = data->image(1);
  CHECK(image.width == 5);
  CHECK(image.height == 4);
  CHECK(image.rgb[2] == 30);
  const auto error = thrown_by([&] { data->image(0); });
  CHECK(error.code == kernels::ExitCode::BadData);
  CHECK(says(error, "im00001.jpg"));
}

TEST_CASE("damaged LSP annotations are bad data that says where") {
  const TempFolder folder;
  cpm::DataSpec spec = lsp_spec(folder);
  const auto labelled = [](int, int) { return 1.0; };
  const auto check = [&](const std::string& text) {
    const auto error = thrown_by([&] { cpm::open_dataset(spec); });
    CAPTURE(error.line);
    CHECK(error.code == kernels::ExitCode::BadData);
    CHECK(says(error, text));
  };
  SECTION("not a number") {
    std::vector<double> values = table(true, 3, labelled);
    values[42 + 14 + 6] = std::numeric_limits<double>::quiet_NaN();
    write_mat(spec.file, "joints", {14, 3, 3}, values);
    check("record 2, right_wrist has no coordinates");
  }
  SECTION("infinite") {
    std::vector<double> values = table(true, 3, labelled);
    values[13] = -std::numeric_limits<double>::infinity();
    write_mat(spec.file, "joints", {14, 3, 3}, values);
    check("record 1, head_top has no coordinates");
  }
  SECTION("a flag of 2") {
    write_mat(spec.file, "joints", {3, 14, 3},
              table(false, 3, [](int n, int j) { return n == 2 && j == 12 ? 2 : 0; }));
    check("record 3, neck has a strange flag");
  }
  SECTION("another shape") {
    write_mat(spec.file, "joints", {16, 3, 2}, std::vector<double>(96));
    check("got: 16x3x2");
  }
  SECTION("another name") {
    write_mat(spec.file, "points", {14, 3, 1}, table(true, 1, labelled));
    check("got: points");
  }
  SECTION("no images") {
    write_mat(spec.file, "joints", {14, 3, 1}, table(true, 1, labelled));
    spec.images = folder / "nowhere";
    check((folder / "nowhere").string());
  }
  SECTION("images is a file") {
    write_mat(spec.file, "joints", {14, 3, 1}, table(true, 1, labelled));
    spec.images = spec.file;
    check("got: a file");
  }
  SECTION("no annotations") {
    spec.file = folder / "none.mat";
    check("none.mat");
  }
}

TEST_CASE("the extended Leeds set is read as its README counts it") {
  CPM_SKIP_IF(tests::test_data().empty(), "CPM_TEST_DATA is not set: no LSPet annotations");
  cpm::DataSpec spec;
  spec.kind = cpm::DataSpec::Kind::Lsp;
  spec.file = tests::test_data() / "data/lspet/joints.mat";
  spec.images = tests::test_data() / "data/lspet/images";
  CPM_SKIP_IF(!std::filesystem::exists(spec.file), "CPM_TEST_DATA holds no data/lspet/joints.mat");
  const auto data = cpm::open_dataset(spec);
  REQUIRE(data->size() == 10000);
  int64_t labelled = 0;
  for (int64_t i = 0; i < data->size(); ++i) {
    for (const cpm::Joint& joint : data->record(i).person.joints) labelled += joint.labelled ? 1 : 0;
  }
  CHECK(labelled == 123213);
  // Record 1 as scipy.io.loadmat reads it, less one.
  const cpm::Record first = data->record(0);
  const auto near = [](double a, double b) { return std::abs(a - b) < 1e-6; };
  CHECK(first.name == "im00001.jpg");
  CHECK_FALSE(first.person.joints[0].labelled);
  CHECK(near(first.person.joints[1].x, 25.03094352));
  CHECK(near(first.person.joints[1].y, 85.41022512));
  CHECK(near(first.person.joints[9].x, 101.38837784));
  CHECK(near(first.person.joints[9].y, 67.46216316));
  CHECK(near(first.person.joints[13].x, 115.56859752));
  CHECK(near(first.person.center_x, 80.13368251615368));
  CHECK(near(first.person.center_y, 53.297577681588166));
  CHECK(near(first.person.size, 0.579950660552408));
  const cpm::Image image = data->image(0);
  CHECK(image.width > 50);
  CHECK(image.height > 50);
}
