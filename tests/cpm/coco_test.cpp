// COCO keypoints: small files written here, then, where it is there, the real sample. The JSON reader's own
// errors are in json_records_test.cpp.
#include <cmath>
#include <nlohmann/json.hpp>

#include "cpm/dataset/dataset.h"
#include "tests/cpm/dataset_support.h"
#include "tests/cpm/people_file.h"
#include "tests/support/catch.h"

using nlohmann::json;
using tests::says;
using tests::TempFolder;
using tests::thrown_by;

namespace {

/// x, y, v of 17 joints; `labelled` of them, the rest 0, 0, 0.
json keypoints(int shift, int labelled) {
  json list = json::array();
  for (int j = 0; j < 17; ++j) {
    const bool has = j < labelled;
    list.insert(list.end(), {has ? 10 * j + shift : 0, has ? 5 * j + 0.5 : 0, has ? 1 + j % 2 : 0});
  }
  return list;
}

/// Annotations 1-6: two people of image 7, one of image 9; a crowd, one without a label, one of image 9.
json sample() {
  const auto person = [](int id, int image, int shift, int labelled) {
    return json{{"id", id},
                {"image_id", image},
                {"category_id", 1},
                {"iscrowd", 0},
                {"area", 1000 + id},
                {"bbox", {shift, 20, 100, 300.5}},
                {"num_keypoints", labelled},
                {"segmentation", {{1, 2, 3, 4}, {5, 6}}},
                {"keypoints", keypoints(shift, labelled)}};
  };
  json file = {
      {"info", {{"images", "not these"}}},
      {"annotations",
       {person(101, 7, 0, 17), person(102, 9, 3, 15), person(103, 7, 50, 2), person(104, 7, 0, 17),
        person(105, 9, 0, 0), person(106, 9, 30, 1)}},
      {"images",
       {{{"id", 9}, {"file_name", "b.png"}, {"width", 640}}, {{"id", 7}, {"file_name", "d/a.png"}}}}};
  file["annotations"][3]["iscrowd"] = 1;
  return file;
}

cpm::DataSpec spec_of(const TempFolder& folder, const json& file) {
  return tests::people_spec("coco", folder, file.dump());
}

tests::Thrown refused(const json& file) {
  return tests::refused_people("coco", file.dump());
}

}  // namespace

TEST_CASE("COCO: every person is a record, the others of its image are beside it") {
  const TempFolder folder;
  const auto data = cpm::open_dataset(spec_of(folder, sample()));
  CHECK(data->description() ==
        "coco people.json 1-6: 4 people, 1 marked as crowd left out, 1 without a labelled joint left out");
  REQUIRE(data->size() == 4);
  CHECK(data->schema().names == cpm::coco_schema().names);
  const cpm::Record first = data->record(0), second = data->record(1), third = data->record(2);
  CHECK(first.name == "d/a.png");
  CHECK(second.name == "b.png");
  CHECK(std::vector<int64_t>{first.number, second.number, third.number, data->record(3).number} ==
        std::vector<int64_t>{1, 2, 3, 6});
  REQUIRE(first.person.joints.size() == 17);
  for (int j = 0; j < 17; ++j) {  // occluded (1) and visible (2) are labels; nothing is subtracted
    const cpm::Joint joint = first.person.joints[static_cast<size_t>(j)];
    CHECK((joint.labelled && joint.x == 10.0 * j && joint.y == 5 * j + 0.5));
    CHECK(second.person.joints[static_cast<size_t>(j)].labelled == (j < 15));
  }
  CHECK(first.person.center_x == 50);
  CHECK(first.person.center_y == 20 + 300.5 / 2);
  CHECK(first.person.size == 300.5 / 200);
  CHECK(first.person.area == 1101);
  REQUIRE(first.others.size() == 1);
  CHECK(first.others[0].joints[1].x == 60);
  REQUIRE(third.others.size() == 1);
  CHECK(third.others[0].joints[1].x == 10);
  CHECK(second.others.size() == 1);
}

TEST_CASE("COCO: a range counts annotations, and the picture keeps those outside it") {
  const TempFolder folder;
  cpm::DataSpec spec = spec_of(folder, sample());
  spec.first = 3;
  spec.last = 5;
  const auto data = cpm::open_dataset(spec);
  CHECK(data->description() ==
        "coco people.json 3-5: 1 people, 1 marked as crowd left out, 1 without a labelled joint left out");
  REQUIRE(data->size() == 1);
  CHECK(data->record(0).number == 3);
  CHECK(data->record(0).others.size() == 1);
  spec.last = 7;
  const auto error = thrown_by([&] { cpm::open_dataset(spec); });
  CHECK(error.code == kernels::ExitCode::Usage);
  CHECK(says(error, "1-6"));
  spec.first = 4;
  spec.last = 5;
  CHECK(says(thrown_by([&] { cpm::open_dataset(spec); }), "no person with a labelled joint"));
}

TEST_CASE("COCO: without a box, or with an empty one, the labelled joints' box") {
  json file = sample();
  file["annotations"][0].erase("bbox");
  file["annotations"][0].erase("area");
  file["annotations"][1]["bbox"] = {0, 0, 0, 0};
  file["annotations"][1]["area"] = 0;
  file["annotations"][2]["area"] = nullptr;
  const TempFolder folder;
  const auto data = cpm::open_dataset(spec_of(folder, file));
  CHECK(data->record(0).person.center_x == 80);
  CHECK(data->record(0).person.size == 160.0 / 200);
  CHECK(std::abs(data->record(0).person.area - 160.0 * 160) < 1e-9);
  CHECK(data->record(1).person.center_x == 73);
  CHECK(data->record(2).person.area == 100 * 300.5);
}

TEST_CASE("COCO: the category names the joints, whichever they are") {
  json file = sample();
  file["categories"] = {{{"id", 3}, {"name", "car"}},
                        {{"id", 1},
                         {"keypoints", {"left_shoulder", "tail", "right_shoulder", "right_hip"}},
                         {"skeleton", {{1, 3}, {3, 4}}}},
                        {{"id", 2}, {"keypoints", json::array({"a"})}}};
  for (json& annotation : file["annotations"])
    annotation["keypoints"] = {10, 20, 2, 30, 40, 1, 50, 60, 2, 0, 0, 0};
  file["annotations"][1]["category_id"] = 2;
  const TempFolder folder;
  const auto data = cpm::open_dataset(spec_of(folder, file));
  const cpm::JointSchema& schema = data->schema();
  CHECK(schema.names == std::vector<std::string>{"left_shoulder", "tail", "right_shoulder", "right_hip"});
  CHECK(schema.flip_pairs == std::vector<std::pair<int, int>>{{0, 2}});
  CHECK(schema.limbs == std::vector<std::pair<int, int>>{{0, 2}, {2, 3}});
  CHECK(schema.left_shoulder == 0);
  CHECK(schema.right_hip == 3);
  CHECK(schema.oks_sigmas.empty());
  CHECK(data->description() ==
        "coco people.json 1-6: 4 people, 1 marked as crowd left out, 1 of other categories left out");
  file["categories"][1]["skeleton"] = {{1, 5}};
  CHECK(says(refused(file), "category 2: skeleton names a joint that is not there"));
  file["categories"][1]["keypoints"] = json::array({"a,b"});
  CHECK(says(refused(file), "category 2: a joint's name cannot be used"));
  file["categories"][1]["keypoints"] = json::array({"a", "a"});
  CHECK(says(refused(file), "category 2: a joint's name cannot be used"));
}

TEST_CASE("COCO: what is wrong is said with the annotation's number") {
  const auto with = [](const std::string& key, const json& value) {
    json file = sample();
    file["annotations"][1][key] = value;
    return refused(file);
  };
  CHECK(says(with("keypoints", {1, 2, 3, 4}), "annotation 2: keypoints has the wrong number of values"));
  CHECK(says(with("keypoints", {1, 2, 2}), "annotation 2: another number of joints than the category"));
  CHECK(says(with("keypoints", "none"), "annotation 2: keypoints holds something else than numbers"));
  json strange = keypoints(0, 17);
  strange[5] = 3;
  CHECK(says(with("keypoints", strange),
             "annotation 2: joint 2 has a strange flag | expected: 0, 1 or 2 | got: 3"));
  strange[5] = 2;
  strange[0] = 1e7;
  CHECK(says(with("keypoints", strange), "annotation 2: joint 1 is nowhere"));
  CHECK(says(with("image_id", 8), "annotation 2: its image is not listed"));
  CHECK(says(with("image_id", 7.5), "annotation 2: image_id is no whole number"));
  CHECK(says(with("image_id", nullptr), "annotation 2: image_id is missing"));
  CHECK(says(with("bbox", {1, 2, 3}), "annotation 2: bbox has the wrong number of values"));
  CHECK(says(with("bbox", {1, 2, 3, 1e300}), "annotation 2: bbox is nowhere"));
  CHECK(says(with("area", "large"), "annotation 2: area holds something else than numbers"));
  json file = sample();
  file["images"][1]["id"] = 9;
  CHECK(says(refused(file), "image 2: its id was there before"));
  for (const char* name : {"../a.png", "/etc/a.png", ""}) {
    file = sample();
    file["images"][1]["file_name"] = name;
    CHECK(says(refused(file), "image 2: the image"));
  }
  file = sample();
  file.erase("images");
  CHECK(says(refused(file), "no list images"));
  CHECK(says(refused(json::array()), "no list images"));
  CHECK(says(refused(json(3)), "no list images"));
}

TEST_CASE("COCO: faults that are asked for do not end the reading") {
  json file = sample();
  file["annotations"][0]["keypoints"] = {1};
  file["annotations"][1]["image_id"] = 8;
  file["annotations"][2]["num_keypoints"] = 5;  // told, but the person is fine
  const TempFolder folder;
  std::vector<std::string> told;
  const auto data = cpm::open_dataset(spec_of(folder, file),
                                      [&](const kernels::ErrorInfo& info) { told.push_back(info.what); });
  REQUIRE(told.size() == 3);
  CHECK(told[0] == "annotation 1: keypoints has the wrong number of values");
  CHECK(told[1] == "annotation 3: num_keypoints does not count the labelled joints");
  CHECK(told[2] == "annotation 2: its image is not listed");
  CHECK(data->size() == 2);
}

TEST_CASE("COCO: the sample of the real set") {
  CPM_SKIP_IF(tests::test_data().empty(), "CPM_TEST_DATA is not set: no COCO sample");
  const auto folder = tests::test_data() / "data/coco";
  CPM_SKIP_IF(!std::filesystem::exists(folder), "CPM_TEST_DATA holds no data/coco");
  const auto data = cpm::open_dataset(
      cpm::parse_data_spec("coco:" + (folder / "test_coco.json").string() + "," + folder.string()));
  CHECK(data->description() == "coco test_coco.json 1-14: 12 people, 2 without a labelled joint left out");
  CHECK(data->schema().oks_sigmas.size() == 17);
  for (int64_t i = 0; i < data->size(); ++i) {
    const cpm::Record record = data->record(i);
    const cpm::Image image = data->image(i);
    for (const cpm::Joint& joint : record.person.joints)
      CHECK((!joint.labelled ||
             (joint.x >= 0 && joint.y >= 0 && joint.x < image.width && joint.y < image.height)));
    CHECK(record.person.area > 0);
  }
  CHECK(data->record(0).others.empty());
  CHECK(data->record(11).others.size() == 4);
}
