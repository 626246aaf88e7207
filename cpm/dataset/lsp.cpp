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

#include "cpm/dataset/dataset.h"
#include "cpm/dataset/mat_file.h"
#include "cpm/dataset/open.h"
#include "kernels/base/error.h"

namespace cpm {
namespace {

namespace fs = std::filesystem;

constexpr int kJoints = 14;
// Sides below this say nothing about a person's size (one or two labelled joints): without it the crop would
// enlarge a few pixels to the whole input.
constexpr double kLeastBoxSide = 10;
// No image is this large: a coordinate beyond it is damage.
constexpr double kMostCoordinate = 1e6;

[[noreturn]] void bad_data(const fs::path& file, std::string what, std::string expected, std::string got,
                           std::string hint = "") {
  throw kernels::Error(kernels::ExitCode::BadData, {.where = file.string(),
                                                    .what = std::move(what),
                                                    .expected = std::move(expected),
                                                    .got = std::move(got),
                                                    .hint = std::move(hint)});
}

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
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    bad_data(folder, "no such folder of images", "a folder that holds im00001.jpg ...",
             fs::exists(folder, error) ? "a file" : "nothing there",
             "the part behind the comma of lsp:JOINTS.mat,IMAGE_DIR");
  }
  std::unordered_set<std::string> names;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    names.insert(entry->path().filename().string());
  }
  if (error) bad_data(folder, "the folder of images cannot be listed", "a readable folder", error.message());
  return names;
}

/// Centre and size from the labelled joints' box; false where no joint is labelled.
bool place_person(Person* person) {
  double left = kMostCoordinate, right = -kMostCoordinate, top = kMostCoordinate, bottom = -kMostCoordinate;
  bool any = false;
  for (const Joint& joint : person->joints) {
    if (!joint.labelled) continue;
    any = true;
    left = std::min(left, joint.x);
    right = std::max(right, joint.x);
    top = std::min(top, joint.y);
    bottom = std::max(bottom, joint.y);
  }
  if (!any) return false;
  person->center_x = 0.5 * (left + right);
  person->center_y = 0.5 * (top + bottom);
  person->size = std::max({right - left, bottom - top, kLeastBoxSide}) / 200;
  return true;
}

class LspDataset : public Dataset {
 public:
  explicit LspDataset(const DataSpec& spec) : folder_(spec.images) {
    const JointTable table(spec.file);
    const std::unordered_set<std::string> files = files_in(folder_);
    const RecordRange range = record_range(spec, table.records(), spec.file.string());
    for (int64_t i = range.begin; i < range.end; ++i) {
      Record record;
      record.person = read_person(table, i, spec.file);
      if (!place_person(&record.person)) {
        ++left_out_;
        continue;
      }
      const std::string stem =
          table.extended() ? fmt::format("im{:05}", i + 1) : fmt::format("im{:04}", i + 1);
      const bool png = files.count(stem + ".jpg") == 0 && files.count(stem + ".png") != 0;
      record.name = stem + (png ? ".png" : ".jpg");
      records_.push_back(std::move(record));
    }
    if (records_.empty()) {
      bad_data(spec.file, "no person with a labelled joint", "at least one",
               fmt::format("{} records without", left_out_));
    }
    description_ = fmt::format("lsp {} {}-{}: {} people", spec.file.filename().string(), range.begin + 1,
                               range.end, records_.size());
    if (left_out_ > 0) description_ += fmt::format(", {} without a labelled joint left out", left_out_);
  }

  int64_t size() const override { return static_cast<int64_t>(records_.size()); }
  const JointSchema& schema() const override { return lsp_schema(); }
  Record record(int64_t i) const override { return at(i); }
  Image image(int64_t i) const override { return read_image(folder_ / at(i).name); }
  std::string description() const override { return description_; }

 private:
  const Record& at(int64_t i) const {
    CPM_CHECK(i >= 0 && i < size(), "record {} of {}", i, size());
    return records_[static_cast<size_t>(i)];
  }

  static Person read_person(const JointTable& table, int64_t record, const fs::path& file) {
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

  fs::path folder_;
  std::vector<Record> records_;
  int64_t left_out_ = 0;
  std::string description_;
};

}  // namespace

std::unique_ptr<Dataset> open_lsp(const DataSpec& spec) {
  return std::make_unique<LspDataset>(spec);
}

}  // namespace cpm
