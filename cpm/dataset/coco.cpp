// COCO person keypoints (Lin et al., ECCV 2014; cocodataset.org, "Data format"): images, annotations and
// categories in any order. An annotation is one person: keypoints x, y, v (v 0 not labelled, 1 occluded,
// 2 visible; 1 and 2 are labels), a box x, y, width, height and an area; pixels are 0-based and taken as they
// are. Crowds and persons without a label are left out. The joints are those that the category names:
// COCO's 17, or any others in the same form.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <unordered_map>

#include "cpm/dataset/json_records.h"
#include "cpm/dataset/people.h"

namespace cpm {
namespace {

/// An annotation before its image and its category are known.
struct Annotation {
  int64_t number = 0, image = 0, category = 1;
  bool crowd = false;
  Person person;
};

struct Category {
  int64_t id = 1;
  JointSchema schema = coco_schema();
};

/// [x, y, v] * k.
std::vector<Joint> read_joints(const JsonRecord& record) {
  const NumberArray array = record.numbers("keypoints");
  if (array.shape.size() != 1 || array.values.empty() || array.values.size() % 3 != 0) {
    record.fail("keypoints has the wrong number of values", "x, y, v for each joint",
                fmt::format("{} values", array.values.size()));
  }
  std::vector<Joint> joints;
  for (size_t i = 0; i < array.values.size(); i += 3) {
    const double x = array.values[i], y = array.values[i + 1], v = array.values[i + 2];
    const size_t joint = i / 3 + 1;
    if (v != 0 && v != 1 && v != 2)
      record.fail(fmt::format("joint {} has a strange flag", joint), "0, 1 or 2", fmt::format("{}", v));
    if (!(std::abs(x) <= kMostCoordinate && std::abs(y) <= kMostCoordinate))
      record.fail(fmt::format("joint {} is nowhere", joint), "two numbers of pixels",
                  fmt::format("{}, {}", x, y));
    joints.push_back({x, y, v > 0});
  }
  return joints;
}

/// Centre, size and area: of the box; where there is none, or an empty one, of the labelled joints' box.
void place(const JsonRecord& record, Person* person) {
  std::vector<double> box;
  if (record.has("bbox")) box = record.numbers("bbox", {4});
  const bool usable = !box.empty() && box[2] > 0 && box[3] > 0;
  if (usable) {
    const bool near =
        std::all_of(box.begin(), box.end(), [](double v) { return std::abs(v) <= kMostCoordinate; });
    if (!near)
      record.fail("bbox is nowhere", "x, y, width, height in pixels",
                  fmt::format("{}", fmt::join(box, ", ")));
    place_by_box(box[0], box[1], box[2], box[3], person);
  } else {
    place_by_joints(person);
  }
  if (record.has("area")) person->area = record.numbers("area", {})[0];
  if (!(person->area > 0)) person->area = usable ? box[2] * box[3] : std::pow(200 * person->size, 2);
}

Annotation read_annotation(const JsonRecord& record, const OnFault& on_fault) {
  Annotation a{.number = record.number()};
  a.image = record.whole("image_id");
  if (record.has("category_id")) a.category = record.whole("category_id");
  a.crowd = record.has("iscrowd") && record.whole("iscrowd") != 0;
  if (a.crowd || !record.has("keypoints")) return a;
  a.person.joints = read_joints(record);
  place(record, &a.person);
  if (on_fault && record.has("num_keypoints")) {
    const auto labelled = std::count_if(a.person.joints.begin(), a.person.joints.end(),
                                        [](const Joint& joint) { return joint.labelled; });
    if (record.whole("num_keypoints") != labelled) {
      on_fault(record.fault("num_keypoints does not count the labelled joints", std::to_string(labelled),
                            std::to_string(record.whole("num_keypoints"))));
    }
  }
  return a;
}

Category read_category(const JsonRecord& record) {
  Category category{.id = record.whole("id")};
  const std::vector<std::string> names = record.texts("keypoints");
  for (const std::string& name : names) {
    // Weights files keep the names in a list with commas.
    const bool plain = !name.empty() && name.find_first_of(",\n\r\t") == std::string::npos;
    if (!plain || std::count(names.begin(), names.end(), name) > 1)
      record.fail("a joint's name cannot be used", "names without commas, each once", name);
  }
  if (names.empty()) record.fail("keypoints names no joint", "at least one name", "none");
  category.schema = schema_of_names(names);
  if (!category.schema.limbs.empty() || !record.has("skeleton")) return category;
  const NumberArray limbs = record.numbers("skeleton");
  for (size_t i = 0; i + 1 < limbs.values.size(); i += 2) {
    const auto count = static_cast<double>(names.size());
    const double from = limbs.values[i], to = limbs.values[i + 1];
    if (!(from >= 1 && from <= count && to >= 1 && to <= count))
      record.fail("skeleton names a joint that is not there", fmt::format("1 to {}", count),
                  fmt::format("{}, {}", from, to));
    category.schema.limbs.emplace_back(static_cast<int>(from) - 1, static_cast<int>(to) - 1);
  }
  return category;
}

class CocoReader {
 public:
  CocoReader(const DataSpec& spec, const OnFault& on_fault) : spec_(spec), on_fault_(on_fault) {}

  std::unique_ptr<Dataset> read() {
    require_folder(spec_.images, "coco:FILE.json,IMAGE_DIR");
    read_file();
    table_.folder = spec_.images;
    table_.schema = category_.schema;
    table_.groups.resize(table_.images.size());
    for (Annotation& annotation : annotations_) {
      read_or_tell(on_fault_, [&] { take(&annotation); });
    }
    annotations_.clear();
    describe("coco", spec_.file, range_,
             {{crowds_, "marked as crowd"},
              {others_, "of other categories"},
              {unlabelled_, "without a labelled joint"}},
             &table_);
    return make_people_dataset(std::move(table_));
  }

 private:
  void read_file() {
    const auto careful = [this](auto read) {
      return [this, read](const JsonRecord& record) { read_or_tell(on_fault_, [&] { read(record); }); };
    };
    const std::vector<JsonArray> arrays = {
        {"images", "image", {"id", "file_name"}, careful([this](const JsonRecord& r) { take_image(r); })},
        {"annotations",
         "annotation",
         {"image_id", "category_id", "iscrowd", "keypoints", "num_keypoints", "bbox", "area"},
         careful([this](const JsonRecord& r) { annotations_.push_back(read_annotation(r, on_fault_)); })},
        {"categories", "category", {"id", "keypoints", "skeleton"}, [this](const JsonRecord& r) {
           if (!r.has("keypoints") || has_category_) return;
           category_ = read_category(r);
           has_category_ = true;
         }}};
    const std::vector<int64_t> lengths = read_json_records(spec_.file, arrays);
    for (size_t i = 0; i < 2; ++i) {
      if (lengths[i] < 0)
        bad_data(spec_.file, fmt::format("no list {}", arrays[i].key),
                 "an object with images and annotations (COCO's form)", "another form",
                 "MPII's forms are read by mpii:FILE.json,IMAGE_DIR");
    }
    range_ = record_range(spec_, lengths[1], spec_.file.string());
  }

  void take_image(const JsonRecord& record) {
    const int64_t id = record.whole("id");
    const std::string name = record.text("file_name");
    if (const std::string fault = image_name_fault(name); !fault.empty())
      record.fail(fault, "a relative file name", name);
    if (!images_.emplace(id, table_.images.size()).second)
      record.fail("its id was there before", "each id once", std::to_string(id));
    table_.images.push_back(name);
  }

  /// Puts an annotation's person in the picture, and in the rows if the range holds it.
  void take(Annotation* annotation) {
    const bool wanted = annotation->number > range_.begin && annotation->number <= range_.end;
    Person& person = annotation->person;
    const bool labelled = std::any_of(person.joints.begin(), person.joints.end(),
                                      [](const Joint& joint) { return joint.labelled; });
    if (annotation->crowd || annotation->category != category_.id || !labelled) {
      int64_t* reason = annotation->crowd                      ? &crowds_
                        : annotation->category != category_.id ? &others_
                                                               : &unlabelled_;
      *reason += wanted ? 1 : 0;
      return;
    }
    const auto found = images_.find(annotation->image);
    const std::string who = fmt::format("annotation {}: ", annotation->number);
    if (found == images_.end())
      bad_data(spec_.file, who + "its image is not listed", "image_id of an entry of images",
               std::to_string(annotation->image));
    const auto joints = static_cast<size_t>(category_.schema.count());
    if (person.joints.size() != joints)
      bad_data(spec_.file, who + "another number of joints than the category",
               fmt::format("{} joints", joints), std::to_string(person.joints.size()));
    const size_t image = found->second, index = table_.people.size();
    table_.groups[image].push_back(static_cast<uint32_t>(index));
    table_.people.push_back(std::move(person));
    if (wanted)
      table_.rows.push_back({.number = annotation->number, .person = index, .image = image, .group = image});
  }

  const DataSpec& spec_;
  const OnFault& on_fault_;
  PeopleTable table_;
  RecordRange range_;
  std::unordered_map<int64_t, size_t> images_;  // id -> place
  std::vector<Annotation> annotations_;
  Category category_;
  bool has_category_ = false;
  int64_t crowds_ = 0, others_ = 0, unlabelled_ = 0;
};

}  // namespace

std::unique_ptr<Dataset> open_coco(const DataSpec& spec, const OnFault& on_fault) {
  return CocoReader(spec, on_fault).read();
}

}  // namespace cpm
