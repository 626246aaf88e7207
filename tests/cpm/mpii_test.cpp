// MPII in its two JSON forms: small files written here, then, where it is there, the real sample.
#include <cmath>
#include <nlohmann/json.hpp>

#include "cpm/dataset/dataset.h"
#include "tests/cpm/dataset_support.h"
#include "tests/cpm/people_file.h"
#include "tests/support/catch.h"

using nlohmann::json;
using tests::says;
using tests::TempFolder;

namespace {

/// 16 x (x, y, flag), 1-based; joint 6 missing, joint 7 occluded.
json release_joints(int shift) {
  json list = json::array();
  for (int j = 0; j < 16; ++j) {
    list.push_back(j == 6 ? json{0, 0, 0} : json{10 * j + shift + 1, 5 * j + 1.5, j == 7 ? 0 : 1});
  }
  return list;
}

json release(int shift) {
  return {{"dataset", "MPI"},       {"isValidation", 0.0},
          {"img_paths", "a.jpg"},   {"img_width", 1280.0},
          {"img_height", 720.0},    {"objpos", {101.5, 61}},
          {"scale_provided", 1.25}, {"joint_self", release_joints(shift)},
          {"numOtherPeople", 0}};
}

json hrnet(const std::string& image, int shift) {
  json joints = json::array(), visible = json::array();
  for (int j = 0; j < 16; ++j) {
    joints.push_back(j == 6 ? json{-1, -1} : json{10 * j + shift + 1, 5 * j + 1.5});
    visible.push_back(j == 6 ? 0 : 1);
  }
  return {{"image", image},
          {"center", {101.5, 61}},
          {"scale", 1.25},
          {"joints", joints},
          {"joints_vis", visible}};
}

cpm::DataSpec spec_of(const TempFolder& folder, const json& file) {
  return tests::people_spec("mpii", folder, file.dump());
}

tests::Thrown refused(const json& file) {
  return tests::refused_people("mpii", file.dump());
}

void check_person(const cpm::Person& person, int shift) {
  REQUIRE(person.joints.size() == 16);
  for (int j = 0; j < 16; ++j) {
    const cpm::Joint& joint = person.joints[static_cast<size_t>(j)];
    CHECK(joint.labelled == (j != 6));
    if (j != 6) CHECK((joint.x == 10.0 * j + shift && joint.y == 5 * j + 0.5));
  }
}

}  // namespace

TEST_CASE("MPII: the release's form, in both shapes of joint_others") {
  json one = release(1), two = release(2), none = release(3), empty = release(4), nested = release(5);
  one["joint_others"] = release_joints(100);
  two["joint_others"] = {release_joints(200), release_joints(300)};
  empty["joint_others"] = json::array();
  nested["joint_others"] = json::array({release_joints(400)});
  nested["scale_provided"] = json::array({1.25});
  const json list = {one, two, none, empty, nested};
  for (const json& file : {list, json{{"root", list}}}) {
    const TempFolder folder;
    const auto data = cpm::open_dataset(spec_of(folder, file));
    CHECK(data->description() == "mpii people.json 1-5: 5 people");
    CHECK(data->schema().names == cpm::mpii_schema().names);
    const std::vector<size_t> others = {1, 2, 0, 0, 1};
    REQUIRE(data->size() == 5);
    for (int i = 0; i < 5; ++i) {
      const cpm::Record record = data->record(i);
      CHECK(record.name == "a.jpg");
      CHECK(record.number == i + 1);
      check_person(record.person, i + 1);
      CHECK(record.person.center_x == 100.5);
      CHECK(record.person.center_y == 60);
      CHECK(record.person.size == 1.25);
      REQUIRE(record.others.size() == others[static_cast<size_t>(i)]);
      if (i < 2) check_person(record.others[0], 100 * (i + 1));
    }
    check_person(data->record(1).others[1], 300);
  }
}

TEST_CASE("MPII: a place outside the image, or the flag 2, is no label in the release's form") {
  json record = release(0);
  record["joint_self"][0] = {1281, 10, 1};
  record["joint_self"][1] = {1280, 720, 1};
  record["joint_self"][2] = {50, 721, 1};
  record["joint_self"][3] = {50, 60, 2};
  record["joint_self"][4] = {0.5, 60, 1};
  const TempFolder folder;
  const cpm::Record read = cpm::open_dataset(spec_of(folder, json::array({record})))->record(0);
  for (int j = 0; j < 5; ++j) CHECK(read.person.joints[static_cast<size_t>(j)].labelled == (j == 1));
}

TEST_CASE("MPII: HRNet's form, whose records of an image are each other's company") {
  const json file = {hrnet("a.jpg", 1), hrnet("b.jpg", 2), hrnet("a.jpg", 3), hrnet("a.jpg", 4)};
  const TempFolder folder;
  cpm::DataSpec spec = spec_of(folder, file);
  const auto whole = cpm::open_dataset(spec);
  REQUIRE(whole->size() == 4);
  for (int i = 0; i < 4; ++i) {
    const cpm::Record record = whole->record(i);
    check_person(record.person, i + 1);
    CHECK(record.person.center_x == 100.5);
    CHECK(record.person.size == 1.25);
    CHECK(record.others.size() == (i == 1 ? 0 : 2));
  }
  check_person(whole->record(2).others[0], 1);
  check_person(whole->record(2).others[1], 4);
  spec.first = 3;
  spec.last = 3;
  const auto part = cpm::open_dataset(spec);
  CHECK(part->description() == "mpii people.json 3-3: 1 people");
  REQUIRE(part->size() == 1);
  CHECK(part->record(0).number == 3);
  CHECK(part->record(0).others.size() == 2);
}

TEST_CASE(
    "MPII: head size by the box, else from neck to head top; place by the joints where the file has none") {
  json boxed = hrnet("a.jpg", 0), headless = hrnet("b.jpg", 0), nowhere = hrnet("c.jpg", 0);
  boxed["headbox"] = {10, 20, 40, 60};
  headless["joints_vis"][9] = 0;
  nowhere["center"] = {-1, -1};
  nowhere["scale"] = -1;
  const TempFolder folder;
  const auto data = cpm::open_dataset(spec_of(folder, {boxed, headless, nowhere}));
  CHECK(data->record(0).person.head_size == 0.6 * 50);
  CHECK(data->record(1).person.head_size == 0);
  CHECK(data->record(2).person.head_size == std::hypot(10, 5));
  CHECK(data->record(2).person.center_x == 75);
  CHECK(data->record(2).person.size == 150.0 / 200);
}

TEST_CASE("MPII: people without labels, such as those of the test set, are left out and counted") {
  json secret = hrnet("b.jpg", 0);
  secret.erase("joints");
  secret.erase("joints_vis");
  const TempFolder folder;
  CHECK(cpm::open_dataset(spec_of(folder, {hrnet("a.jpg", 0), secret}))->description() ==
        "mpii people.json 1-2: 1 people, 1 without a labelled joint left out");
  CHECK(says(refused(json::array({secret})), "no person with a labelled joint"));
}

TEST_CASE("MPII: what is wrong is said with the record's number") {
  const auto with = [](json record, const std::string& key, const json& value) {
    record[key] = value;
    return refused({release(0), record});
  };
  const json r = release(0), h = hrnet("a.jpg", 0);
  CHECK(says(with(r, "joint_self", json::array({1, 2})),
             "record 2: joint_self has the wrong number of values"));
  CHECK(says(with(r, "joint_self", nullptr), "record 2: joint_self is missing | expected: 16 x 3 numbers"));
  CHECK(says(with(r, "joint_others", {{1, 2}, {3, 4}}), "record 2: joint_others has another shape"));
  CHECK(says(with(r, "joint_others", {{1, 2}, {3}}), "record 2: joint_others holds something else"));
  CHECK(says(with(r, "scale_provided", {1, 2}), "record 2: scale_provided is no single number"));
  CHECK(says(with(r, "objpos", {1, 2, 3}), "record 2: objpos has the wrong number of values"));
  CHECK(says(with(r, "img_paths", "../x.jpg"), "record 2: the image lies outside"));
  CHECK(says(with(r, "img_width", "wide"), "record 2: img_width holds something else"));
  CHECK(says(with(h, "joints_vis", {1, 1}), "record 2: joints_vis has the wrong number"));
  CHECK(says(with(h, "headbox", {5, 5, 5, 5}), "record 2: headbox is empty"));
  CHECK(says(with(h, "image", 5), "record 2: image is no text"));
  json flag = r["joint_self"];
  flag[3][2] = 4;
  CHECK(says(with(r, "joint_self", flag), "record 2: left_hip has a strange flag"));
  flag[3] = {1e9, 1, 1};
  CHECK(says(with(r, "joint_self", flag), "record 2: left_hip is nowhere"));
  CHECK(says(refused({release(0), {{"name", "x"}}}), "record 2: neither the release's form nor HRNet's"));
  CHECK(says(refused({release(0), 7}), "record 2 is no record"));
  CHECK(says(refused({{"images", json::array()}}), "no list of records"));
}

TEST_CASE("MPII: the sample of the real set") {
  CPM_SKIP_IF(tests::test_data().empty(), "CPM_TEST_DATA is not set: no MPII sample");
  const auto folder = tests::test_data() / "data/mpii";
  CPM_SKIP_IF(!std::filesystem::exists(folder), "CPM_TEST_DATA holds no data/mpii");
  const auto data = cpm::open_dataset(
      cpm::parse_data_spec("mpii:" + (folder / "test_mpii.json").string() + "," + folder.string()));
  CHECK(data->description() == "mpii test_mpii.json 1-5: 5 people");
  const cpm::Record record = data->record(0);
  CHECK(record.name == "005808361.jpg");
  CHECK(record.person.joints[0].x == 803);
  CHECK(record.person.center_x == 965);
  CHECK(record.person.size == 4.718488);
  for (int64_t i = 0; i < data->size(); ++i) {
    const cpm::Image image = data->image(i);
    for (const cpm::Joint& joint : data->record(i).person.joints)
      CHECK((!joint.labelled ||
             (joint.x >= 0 && joint.y >= 0 && joint.x < image.width && joint.y < image.height)));
  }
}
