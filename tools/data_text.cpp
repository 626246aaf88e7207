#include "tools/data_text.h"

#include <fmt/format.h>

#include "tools/json_text.h"

namespace tools {
namespace {

double share(int64_t part, int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

std::string percent(int64_t part, int64_t whole) {
  return fmt::format("{:5.1f} %", 100 * share(part, whole));
}

std::string list(const std::vector<int64_t>& values) {
  return fmt::format("[{}]", fmt::join(values, ", "));
}

}  // namespace

std::string check_text(const cpm::CheckResult& result) {
  std::string text;
  for (const kernels::ErrorInfo& fault : result.faults) text += kernels::error_line(fault) + "\n";
  if (!result.description.empty()) text += kernels::printable(result.description) + "\n";
  return text + fmt::format("{} faults in {} people, {} images\n", result.faults.size(), result.people,
                            result.images);
}

std::string check_json(const cpm::CheckResult& result) {
  std::vector<std::string> faults;
  for (const kernels::ErrorInfo& fault : result.faults) {
    JsonObject object;
    object.add("file", fault.where);
    object.add("what", fault.what);
    object.add("expected", fault.expected);
    object.add("got", fault.got);
    object.add("hint", fault.hint);
    faults.push_back(object.text());
  }
  JsonObject object;
  object.add("ok", result.faults.empty());
  object.add("data", result.description);
  object.add("people", result.people);
  object.add("images", result.images);
  object.add_raw("faults", json_array(faults));
  return object.text() + "\n";
}

std::string stats_text(const cpm::DatasetStats& stats, const cpm::Dataset& dataset) {
  const cpm::JointSchema& schema = dataset.schema();
  std::string text = kernels::printable(dataset.description()) + "\n";
  const auto line = [&](const std::string& what, int64_t part, int64_t whole) {
    text += fmt::format("{:<34} {:>9} {}\n", what, part, whole > 0 ? percent(part, whole) : "");
  };
  line("people", stats.people, 0);
  line("images", stats.images, 0);
  line("people with others in the image", stats.with_company, stats.people);
  line("people with all joints labelled", stats.people_with.back(), stats.people);
  line("people that PCK counts", stats.with_torso, stats.people);
  line("labelled joints", stats.labelled, stats.joints);
  line("missing joints", stats.joints - stats.labelled, stats.joints);
  line("labels beyond the network's input", stats.outside_input, stats.labelled);
  if (stats.shoulders > 0) line("right shoulder left in the image", stats.turned, stats.shoulders);
  const cpm::Spread& h = stats.height;
  text += fmt::format(
      "person's height, pixels: {:.1f} least, {:.1f} (5 %), {:.1f} median, {:.1f} (95 %), {:.1f} most\n",
      h.least, h.low, h.median, h.high, h.most);
  text += fmt::format("\n{:<34} {:>9}\n", "joint", "labelled");
  for (size_t j = 0; j < stats.labels.size(); ++j)
    line(kernels::printable(schema.names[j], 32), stats.labels[j], stats.people);
  text += fmt::format("\n{:<34} {:>9}\n", "labelled joints of a person", "people");
  for (size_t n = 0; n < stats.people_with.size(); ++n) {
    if (stats.people_with[n] > 0) line(std::to_string(n), stats.people_with[n], stats.people);
  }
  return text;
}

std::string stats_json(const cpm::DatasetStats& stats, const cpm::Dataset& dataset) {
  JsonObject per_joint, height, object;
  for (size_t j = 0; j < stats.labels.size(); ++j) per_joint.add(dataset.schema().names[j], stats.labels[j]);
  const cpm::Spread& h = stats.height;
  height.add("least", h.least);
  height.add("percentile_5", h.low);
  height.add("median", h.median);
  height.add("percentile_95", h.high);
  height.add("most", h.most);
  object.add("data", dataset.description());
  object.add("people", stats.people);
  object.add("images", stats.images);
  object.add("joints", stats.joints);
  object.add("labelled", stats.labelled);
  object.add_raw("per_joint", per_joint.text());
  object.add_raw("people_with", list(stats.people_with));
  object.add("with_torso", stats.with_torso);
  object.add("with_company", stats.with_company);
  object.add("outside_input", stats.outside_input);
  if (stats.shoulders > 0) {
    object.add("right_shoulder_left", share(stats.turned, stats.shoulders));
  } else {
    object.add_raw("right_shoulder_left", "null");
  }
  object.add_raw("height", height.text());
  return object.text() + "\n";
}

std::string written_json(const std::string& file, int64_t records) {
  JsonObject object;
  object.add("file", file);
  object.add("records", records);
  return object.text() + "\n";
}

}  // namespace tools
