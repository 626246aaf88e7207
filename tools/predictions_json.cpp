#include "tools/predictions_json.h"

#include <fmt/format.h>

#include "tools/json_text.h"

namespace tools {

namespace fs = std::filesystem;

std::string predictions_json(const std::vector<cpm::Prediction>& predictions) {
  std::vector<std::string> people;
  for (const cpm::Prediction& p : predictions) {
    std::vector<std::string> points;
    for (size_t j = 0; j < p.joints.size(); ++j) {
      points.push_back(fmt::format("[{:.3f}, {:.3f}, {:.5f}]", p.joints[j].x, p.joints[j].y, p.scores[j]));
    }
    JsonObject person;
    person.add("image", p.image);
    person.add_raw("keypoints", json_array(points));
    people.push_back(person.text());
  }
  return json_array(people);
}

OutputFolder::OutputFolder(const fs::path& folder) : path_(folder) {
  std::error_code error;
  for (fs::path p = folder; !p.empty() && !fs::exists(p, error); p = p.parent_path()) made_.push_back(p);
  fs::create_directories(folder, error);
  if (!error && !fs::is_directory(folder, error)) error = std::make_error_code(std::errc::not_a_directory);
  if (error) {
    throw kernels::Error(kernels::ExitCode::CannotWrite, {.where = folder.string(),
                                                          .what = "cannot make the output folder",
                                                          .expected = "a place that can be written to",
                                                          .got = error.message(),
                                                          .hint = "choose another --out"});
  }
}

OutputFolder::~OutputFolder() {
  std::error_code not_empty;
  for (const fs::path& folder : made_) fs::remove(folder, not_empty);
}

}  // namespace tools
