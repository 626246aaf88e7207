// Leeds Sports Pose and its extended set: `joints` in a MATLAB file, one image per person.
//   LSP   joints [3, 14, N]: x, y, flag; flag 0 visible, 1 occluded: both are labels.  im0001.jpg
//   LSPet joints [14, 3, N]: x, y, flag; flag 1 labelled, 0 not (its coordinates mean nothing).  im00001.jpg
// Values are column-major and coordinates 1-based. A person's centre and size come from the box of its
// labelled joints, as neither file holds a scale.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <system_error>
#include <unordered_set>

#include "cpm/dataset/mat_file.h"
#include "cpm/dataset/people.h"

namespace cpm {
namespace {

namespace fs = std::filesystem;

constexpr int kJoints = 14;

/// The array `joints` behind one index for both axis orders.
class JointTable {
 public:
  explicit JointTable(const fs::path& file) {
    std::vector<MatArray> arrays = read_mat(file);
    const auto found =
        std::find_if(arrays.begin(), arrays.end(), [](const MatArray& a) { return a.name == "joints"; });
    if (found == arrays.end()) {
      bad_data(file, "no array named joints", "joints", arrays.empty() ? "no array" : arrays.front().name);
    }
    array_ = std::move(*found);
    std::vector<int64_t> dims = array_.dims;
    if (dims.size() == 2) dims.push_back(1);  // MATLAB drops a last axis of one
    extended_ = dims.size() == 3 && dims[0] == kJoints && dims[1] == 3;
    const bool original = dims.size() == 3 && dims[0] == 3 && dims[1] == kJoints;
    const int64_t per_record = 3 * kJoints;
    if ((!extended_ && !original) || static_cast<int64_t>(array_.values.size()) != per_record * dims[2]) {
      bad_data(file, "joints has another shape", "3x14xN (LSP) or 14x3xN (LSPet)",
               fmt::format("{}", fmt::join(array_.dims, "x")));
    }
    records_ = dims[2];
  }

  bool extended() const { return extended_; }
  int64_t records() const { return records_; }

  /// field 0: x, 1: y, 2: flag.
  double value(int64_t record, int joint, int field) const {
    const int64_t place = extended_ ? joint + kJoints * field : field + 3 * joint;
    return array_.values[static_cast<size_t>(record * 3 * kJoints + place)];
  }

 private:
  MatArray array_;
  bool extended_ = false;
  int64_t records_ = 0;
};

/// Names of the files in `folder`: one listing instead of a question to the file system per record.
std::unordered_set<std::string> files_in(const fs::path& folder) {
  require_folder(folder, "lsp:JOINTS.mat,IMAGE_DIR");
  std::error_code error;
  std::unordered_set<std::string> names;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    names.insert(entry->path().filename().string());
  }
  if (error)
    bad_data(folder, "the folder of images cannot be listed", "a readable folder", error.message(),
             "check its permissions");
  return names;
}

Person read_person(const JointTable& table, int64_t record, const fs::path& file) {
  Person person;
  for (int j = 0; j < kJoints; ++j) {
    const double x = table.value(record, j, 0), y = table.value(record, j, 1),
                 flag = table.value(record, j, 2);
    const std::string place =
        fmt::format("record {}, {}", record + 1, lsp_schema().names[static_cast<size_t>(j)]);
    if (!(std::abs(x) <= kMostCoordinate && std::abs(y) <= kMostCoordinate)) {
      bad_data(file, place + " has no coordinates", "two finite numbers of pixels",
               fmt::format("{}, {}", x, y));
    }
    if (flag != 0 && flag != 1)
      bad_data(file, place + " has a strange flag", "0 or 1", fmt::format("{}", flag));
    const bool labelled = table.extended() ? flag == 1 : true;
    person.joints.push_back({x - 1, y - 1, labelled});
  }
  return person;
}

}  // namespace

std::unique_ptr<Dataset> open_lsp(const DataSpec& spec, const OnFault& on_fault) {
  const JointTable table(spec.file);
  const std::unordered_set<std::string> files = files_in(spec.images);
  const RecordRange range = record_range(spec, table.records(), spec.file.string());
  PeopleTable people{.schema = lsp_schema(), .folder = spec.images};
  int64_t unlabelled = 0;
  for (int64_t i = range.begin; i < range.end; ++i) {
    Person person;
    if (!read_or_tell(on_fault, [&] { person = read_person(table, i, spec.file); })) continue;
    if (!place_by_joints(&person)) {
      ++unlabelled;
      continue;
    }
    const std::string stem = table.extended() ? fmt::format("im{:05}", i + 1) : fmt::format("im{:04}", i + 1);
    const bool png = files.count(stem + ".jpg") == 0 && files.count(stem + ".png") != 0;
    people.rows.push_back({.number = i + 1, .person = people.people.size(), .image = people.images.size()});
    people.people.push_back(std::move(person));
    people.images.push_back(stem + (png ? ".png" : ".jpg"));
  }
  describe("lsp", spec.file, range, {{unlabelled, "without a labelled joint"}}, &people);
  return make_people_dataset(std::move(people));
}

}  // namespace cpm
