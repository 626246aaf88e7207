#include "tools/predictions_json.h"

#include <fmt/format.h>

#include "tools/json_text.h"

namespace tools {

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

std::filesystem::path make_output_folder(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    throw kernels::Error(kernels::ExitCode::CannotWrite, {.where = folder,
                                                          .what = "cannot make the output folder",
                                                          .got = error.message(),
                                                          .hint = "choose another --out"});
  }
  return folder;
}

}  // namespace tools
