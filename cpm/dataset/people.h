// People listed by an annotation file: what the readers of lsp:, coco: and mpii: share. Private to
// cpm/dataset.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cpm/dataset/dataset.h"
#include "cpm/dataset/open.h"

namespace cpm {

/// No image is this large: a coordinate beyond it is damage.
inline constexpr double kMostCoordinate = 1e6;
/// Sides below this say nothing about a person's size (one or two labelled joints): without it the crop would
/// enlarge a few pixels to the whole input.
inline constexpr double kLeastBoxSide = 10;
inline constexpr size_t kAlone = static_cast<size_t>(-1);

/// Each person is kept once, however many share its picture.
struct PeopleTable {
  struct Row {
    int64_t number = 0;  // of the file's record
    size_t person = 0, image = 0;
    size_t group = kAlone;  // who else is in the picture
  };

  JointSchema schema;
  std::filesystem::path folder;
  std::vector<Person> people;
  std::vector<std::string> images;            // names in the folder
  std::vector<std::vector<uint32_t>> groups;  // people of one picture
  std::vector<Row> rows;                      // what the data set is to give
  std::string description;
};

std::unique_ptr<Dataset> make_people_dataset(PeopleTable table);

/// Throws BadData about a file.
[[noreturn]] void bad_data(const std::filesystem::path& file, std::string what, std::string expected,
                           std::string got, std::string hint = "");

/// BadData unless `folder` is one; `spec` shows where it was named.
void require_folder(const std::filesystem::path& folder, const std::string& spec);

/// Runs `read` (one record's reader). Its BadData goes to `on_fault` if there is one, and false comes back.
bool read_or_tell(const OnFault& on_fault, const std::function<void()>& read);

/// Why `name` names no file inside the folder of images (it leads out of it, or is empty); empty where it
/// does.
std::string image_name_fault(const std::string& name);

/// Sets centre and size by a box in pixels.
void place_by_box(double left, double top, double width, double height, Person* person);
/// By the labelled joints' box; false where no joint is labelled.
bool place_by_joints(Person* person);

/// Sets the table's description, as "coco x.json 1-14: 12 people, 2 without a labelled joint left out";
/// `left_out` are counts and their reasons. BadData where nobody is left.
void describe(const std::string& kind, const std::filesystem::path& file, const RecordRange& range,
              const std::vector<std::pair<int64_t, std::string>>& left_out, PeopleTable* table);

}  // namespace cpm
