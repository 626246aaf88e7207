#include "cpm/dataset/people.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "kernels/base/error.h"

namespace cpm {
namespace {

constexpr const char* kSurvey = "cpm-data check lists every fault of a data set";

namespace fs = std::filesystem;

class PeopleDataset : public Dataset {
 public:
  explicit PeopleDataset(PeopleTable table) : table_(std::move(table)) {}

  int64_t size() const override { return static_cast<int64_t>(table_.rows.size()); }
  const JointSchema& schema() const override { return table_.schema; }
  Image image(int64_t i) const override { return read_image(table_.folder / table_.images[at(i).image]); }
  std::string description() const override { return table_.description; }

  Record record(int64_t i) const override {
    const PeopleTable::Row& row = at(i);
    Record record{.name = table_.images[row.image], .person = table_.people[row.person]};
    record.number = row.number;
    if (row.group == kAlone) return record;
    for (const uint32_t person : table_.groups[row.group]) {
      if (person != row.person) record.others.push_back(table_.people[person]);
    }
    return record;
  }

 private:
  const PeopleTable::Row& at(int64_t i) const {
    CPM_CHECK(i >= 0 && i < size(), "record {} of {}", i, size());
    return table_.rows[static_cast<size_t>(i)];
  }

  PeopleTable table_;
};

}  // namespace

std::unique_ptr<Dataset> make_people_dataset(PeopleTable table) {
  return std::make_unique<PeopleDataset>(std::move(table));
}

void bad_data(const fs::path& file, std::string what, std::string expected, std::string got,
              std::string hint) {
  throw kernels::Error(kernels::ExitCode::BadData, {.where = file.string(),
                                                    .what = std::move(what),
                                                    .expected = std::move(expected),
                                                    .got = std::move(got),
                                                    .hint = hint.empty() ? kSurvey : std::move(hint)});
}

void require_folder(const fs::path& folder, const std::string& spec) {
  std::error_code error;
  if (fs::is_directory(folder, error)) return;
  bad_data(folder, "no such folder of images", "a folder that holds the images the annotations name",
           fs::exists(folder, error) ? "a file" : "nothing there", "the part behind the comma of " + spec);
}

bool read_or_tell(const OnFault& on_fault, const std::function<void()>& read) {
  if (!on_fault) {
    read();
    return true;
  }
  try {
    read();
    return true;
  } catch (const kernels::Error& error) {
    if (error.code() != kernels::ExitCode::BadData) throw;
    on_fault(error.info());
    return false;
  }
}

std::string image_name_fault(const std::string& name) {
  if (name.empty()) return "the image has no name";
  if (name.find('\0') != std::string::npos) return "the image's name holds a zero byte";
  const fs::path path(name);
  const bool climbs =
      std::any_of(path.begin(), path.end(), [](const fs::path& part) { return part == ".."; });
  return path.is_absolute() || climbs ? "the image lies outside the folder of images" : "";
}

void place_by_box(double left, double top, double width, double height, Person* person) {
  person->center_x = left + 0.5 * width;
  person->center_y = top + 0.5 * height;
  person->size = std::max({width, height, kLeastBoxSide}) / 200;
}

bool place_by_joints(Person* person) {
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
  if (any) place_by_box(left, top, right - left, bottom - top, person);
  return any;
}

void describe(const std::string& kind, const fs::path& file, const RecordRange& range,
              const std::vector<std::pair<int64_t, std::string>>& left_out, PeopleTable* table) {
  std::string without;
  for (const auto& [count, reason] : left_out) {
    if (count > 0) without += fmt::format(", {} {} left out", count, reason);
  }
  if (table->rows.empty()) {
    bad_data(file, "no person with a labelled joint", "at least one",
             fmt::format("{} records{}", range.end - range.begin, without));
  }
  table->description = fmt::format("{} {} {}-{}: {} people{}", kind, file.filename().string(),
                                   range.begin + 1, range.end, table->rows.size(), without);
}

}  // namespace cpm
