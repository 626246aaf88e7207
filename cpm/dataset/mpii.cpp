// MPII Human Pose (Andriluka et al., CVPR 2014) in the two JSON forms in use; every record is one person to
// be found, 16 joints, pixels 1-based.
//   the release's   {img_paths, objpos, scale_provided, joint_self 16x3, joint_others, objpos_other,
//                   scale_provided_other, ...}; a flag of 2, or a place outside the image, is no label.
//                   joint_others is 16x3 for one other person, Nx16x3 for more, missing or [] for none.
//                   The file is the list itself, or {"root": [...]}.
//   HRNet's         [{image, center, scale, joints 16x2, joints_vis 16}]: the others of a picture are the
//                   other records of that image.
// Either may carry `headbox` x1, y1, x2, y2 (cpm-data convert writes it). PCKh's head size is 0.6 x its
// diagonal; without it, the length from upper neck to head top.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "cpm/dataset/json_records.h"
#include "cpm/dataset/people.h"

namespace cpm {
namespace {

constexpr int64_t kJoints = 16;
constexpr size_t kUpperNeck = 8, kHeadTop = 9;
constexpr double kHeadBias = 0.6;  // of the official evaluation

/// Centre and size by the file's objpos and scale (of a 200 pixels high person); where they are missing or
/// below zero, by the labelled joints' box.
void place(const std::vector<double>& center, double scale, Person* person) {
  if (center.size() != 2 || !(scale > 0)) {
    place_by_joints(person);
    return;
  }
  person->center_x = center[0] - 1;
  person->center_y = center[1] - 1;
  person->size = std::max(scale, kLeastBoxSide / 200);
}

void measure_head(const JsonRecord& record, Person* person) {
  if (record.has("headbox")) {
    const std::vector<double> box = record.numbers("headbox", {4});
    person->head_size = kHeadBias * std::hypot(box[2] - box[0], box[3] - box[1]);
    if (!(person->head_size > 0 && person->head_size <= kMostCoordinate))
      record.fail("headbox is empty or endless", "x1, y1, x2, y2", fmt::format("{}", fmt::join(box, ", ")));
    return;
  }
  const Joint &neck = person->joints[kUpperNeck], &top = person->joints[kHeadTop];
  if (neck.labelled && top.labelled) person->head_size = std::hypot(neck.x - top.x, neck.y - top.y);
}

void check_place(const JsonRecord& record, size_t joint, double x, double y) {
  if (std::abs(x) <= kMostCoordinate && std::abs(y) <= kMostCoordinate) return;
  record.fail(mpii_schema().names[joint] + " is nowhere", "two numbers of pixels",
              fmt::format("{}, {}", x, y));
}

struct Size {
  double width = kMostCoordinate, height = kMostCoordinate;
};

/// `values` is [16, 3]: x, y, flag.
std::vector<Joint> release_joints(const JsonRecord& record, const double* values, const Size& image) {
  std::vector<Joint> joints;
  for (size_t j = 0; j < static_cast<size_t>(kJoints); ++j) {
    const double x = values[3 * j] - 1, y = values[3 * j + 1] - 1, flag = values[3 * j + 2];
    check_place(record, j, x, y);
    if (flag != 0 && flag != 1 && flag != 2)
      record.fail(mpii_schema().names[j] + " has a strange flag", "0, 1 or 2", fmt::format("{}", flag));
    joints.push_back({x, y, flag != 2 && x >= 0 && y >= 0 && x < image.width && y < image.height});
  }
  return joints;
}

Size release_size(const JsonRecord& record) {
  Size size;
  if (record.has("img_width")) size.width = record.numbers("img_width", {})[0];
  if (record.has("img_height")) size.height = record.numbers("img_height", {})[0];
  return size;
}

/// One number, or a list of one: the release's writer drops lists of one.
double one_number(const JsonRecord& record, const std::string& key) {
  const NumberArray array = record.numbers(key);
  if (array.values.size() != 1)
    record.fail(key + " is no single number", "one number", fmt::format("{} numbers", array.values.size()));
  return array.values[0];
}

/// The first is the person to be found.
std::vector<Person> release_people(const JsonRecord& record) {
  const Size size = release_size(record);
  std::vector<Person> people(1);
  people[0].joints = release_joints(record, record.numbers("joint_self", {kJoints, 3}).data(), size);
  std::vector<double> center;
  if (record.has("objpos")) center = record.numbers("objpos", {2});
  place(center, record.has("scale_provided") ? one_number(record, "scale_provided") : 0, &people[0]);
  measure_head(record, &people[0]);
  if (!record.has("joint_others")) return people;

  const NumberArray others = record.numbers("joint_others");
  const bool none = others.values.empty();
  const bool one = others.shape == std::vector<int64_t>{kJoints, 3};
  const bool more = others.shape.size() == 3 && others.shape[1] == kJoints && others.shape[2] == 3;
  if (!none && !one && !more)
    record.fail("joint_others has another shape", "16x3 (one person) or Nx16x3",
                fmt::format("{}", fmt::join(others.shape, "x")));
  for (size_t at = 0; at < others.values.size(); at += 3 * kJoints) {
    Person other;
    other.joints = release_joints(record, others.values.data() + at, size);
    if (place_by_joints(&other)) people.push_back(std::move(other));
  }
  return people;
}

std::vector<Person> hrnet_people(const JsonRecord& record) {
  std::vector<Person> people(1);
  Person& person = people[0];
  person.joints.resize(kJoints);
  if (record.has("joints")) {  // those of the test set are kept secret
    const std::vector<double> places = record.numbers("joints", {kJoints, 2});
    const std::vector<double> visible = record.numbers("joints_vis", {kJoints});
    for (size_t j = 0; j < person.joints.size(); ++j) {
      if (visible[j] != 0 && visible[j] != 1)
        record.fail(mpii_schema().names[j] + " has a strange flag", "0 or 1", fmt::format("{}", visible[j]));
      person.joints[j] = {places[2 * j] - 1, places[2 * j + 1] - 1, visible[j] == 1};
      check_place(record, j, person.joints[j].x, person.joints[j].y);
    }
  }
  place(record.has("center") ? record.numbers("center", {2}) : std::vector<double>{},
        record.has("scale") ? one_number(record, "scale") : 0, &person);
  measure_head(record, &person);
  return people;
}

class MpiiReader {
 public:
  MpiiReader(const DataSpec& spec, const OnFault& on_fault) : spec_(spec), on_fault_(on_fault) {}

  std::unique_ptr<Dataset> read() {
    require_folder(spec_.images, "mpii:FILE.json,IMAGE_DIR");
    const std::vector<std::string> keys = {
        "img_paths", "objpos", "joint_self", "scale_provided", "img_width", "joint_others", "img_height",
        "headbox",   "image",  "center",     "scale",          "joints",    "joints_vis"};
    const auto take = [this](const JsonRecord& record) {
      read_or_tell(on_fault_, [&] { this->take(record); });
    };
    const std::vector<int64_t> lengths =
        read_json_records(spec_.file, {{"", "record", keys, take}, {"root", "record", keys, take}});
    const int64_t records = std::max(lengths[0], lengths[1]);
    if (records < 0)
      bad_data(spec_.file, "no list of records", "a list [{...}, ...], or {\"root\": [...]} (MPII's forms)",
               "another form", "COCO's form is read by coco:FILE.json,IMAGE_DIR");
    const RecordRange range = record_range(spec_, records, spec_.file.string());
    std::erase_if(table_.rows, [&](const PeopleTable::Row& row) {
      return row.number <= range.begin || row.number > range.end;
    });
    const auto unlabelled = std::count_if(unlabelled_.begin(), unlabelled_.end(), [&](int64_t number) {
      return number > range.begin && number <= range.end;
    });
    describe("mpii", spec_.file, range, {{unlabelled, "without a labelled joint"}}, &table_);
    table_.schema = mpii_schema();
    table_.folder = spec_.images;
    return make_people_dataset(std::move(table_));
  }

 private:
  void take(const JsonRecord& record) {
    const bool release = record.has("img_paths");
    if (!release && !record.has("image"))
      record.fail("neither the release's form nor HRNet's",
                  "img_paths, joint_self, ... or image, joints, joints_vis, ...", "other fields");
    const std::string name = record.text(release ? "img_paths" : "image");
    if (const std::string fault = image_name_fault(name); !fault.empty())
      record.fail(fault, "a relative file name", name);
    std::vector<Person> people = release ? release_people(record) : hrnet_people(record);
    const bool labelled = std::any_of(people[0].joints.begin(), people[0].joints.end(),
                                      [](const Joint& joint) { return joint.labelled; });
    if (!labelled) {
      unlabelled_.push_back(record.number());
      return;
    }
    const size_t image = images_.emplace(name, table_.images.size()).first->second;
    if (image == table_.images.size()) {
      table_.images.push_back(name);
      image_groups_.push_back(kAlone);
    }
    // The release lists a record's others itself; HRNet's records of an image are each other's.
    size_t& shared = image_groups_[image];
    const bool fresh = release || shared == kAlone;
    const size_t group = fresh ? table_.groups.size() : shared;
    if (fresh) table_.groups.emplace_back();
    if (!release) shared = group;
    table_.rows.push_back(
        {.number = record.number(), .person = table_.people.size(), .image = image, .group = group});
    for (Person& person : people) {
      table_.groups[group].push_back(static_cast<uint32_t>(table_.people.size()));
      table_.people.push_back(std::move(person));
    }
  }

  const DataSpec& spec_;
  const OnFault& on_fault_;
  PeopleTable table_;
  std::unordered_map<std::string, size_t> images_;  // name -> place
  std::vector<size_t> image_groups_;                // of HRNet's records
  std::vector<int64_t> unlabelled_;                 // numbers of the records
};

}  // namespace

std::unique_ptr<Dataset> open_mpii(const DataSpec& spec, const OnFault& on_fault) {
  return MpiiReader(spec, on_fault).read();
}

}  // namespace cpm
