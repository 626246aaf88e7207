#include "tools/hist_json.h"

#include <fmt/format.h>

#include <functional>

#include "tools/json_text.h"

namespace tools {
namespace {

using Values = std::function<double(const cpm::RecordSummary&)>;

void add_list(JsonObject* object, const std::string& key, const cpm::HistTensor& tensor,
              const Values& value) {
  std::vector<double> values;
  values.reserve(tensor.records.size());
  for (const cpm::RecordSummary& record : tensor.records) values.push_back(value(record));
  object->add(key, values);
}

std::string tensor_json(const cpm::HistTensor& tensor) {
  JsonObject object;
  object.add("name", tensor.tensor.name);
  object.add("layer", tensor.tensor.layer);
  object.add("kind", tensor.tensor.kind);
  object.add("depth", tensor.tensor.depth);
  object.add("stage", tensor.tensor.stage);
  for (size_t q = 0; q < std::size(cpm::kQuantiles); ++q) {
    add_list(&object, fmt::format("q{:02.0f}", 100 * cpm::kQuantiles[q]), tensor,
             [q](const auto& record) { return record.quantiles[q]; });
  }
  add_list(&object, "zero", tensor, [](const auto& record) { return record.zero_share; });
  add_list(&object, "non_finite", tensor,
           [](const auto& record) { return static_cast<double>(record.non_finite); });
  add_list(&object, "mean", tensor, [](const auto& record) { return record.stats.mean; });
  add_list(&object, "max", tensor, [](const auto& record) { return record.stats.max; });
  add_list(&object, "l2", tensor, [](const auto& record) { return record.stats.l2; });
  add_list(&object, "update_ratio", tensor, [](const auto& record) { return record.stats.update_ratio; });
  return object.text();
}

std::string run_json(const cpm::HistRun& run) {
  JsonObject object;
  object.add("run", run.meta.run);
  object.add("path", run.path.string());
  object.add("label", run.label);
  object.add("intermediate_supervision", run.meta.intermediate_supervision);
  object.add_raw("steps", fmt::format("[{}]", fmt::join(run.steps, ", ")));
  std::vector<std::string> tensors;
  for (const cpm::HistTensor& tensor : run.tensors) tensors.push_back(tensor_json(tensor));
  object.add_raw("tensors", json_array(tensors));
  return object.text();
}

std::string axes_json(const cpm::HistView& view) {
  JsonObject axes;
  axes.add("magnitude", std::vector<double>{view.magnitudes.low, view.magnitudes.high});
  axes.add("median", std::vector<double>{view.medians.low, view.medians.high});
  axes.add("signed", std::vector<double>{-view.signed_axis.range, view.signed_axis.range});
  return axes.text();
}

std::string strings_json(const std::vector<std::string>& texts) {
  std::vector<std::string> quoted;
  for (const std::string& text : texts) quoted.push_back(json_string(text));
  return json_array(quoted);
}

std::string grid_json(const cpm::HistView& view) {
  std::vector<std::string> tensors;
  for (const auto& block : view.blocks) {
    for (const size_t i : block) tensors.push_back(view.runs[0].tensors[i].tensor.name);
  }
  JsonObject grid;
  grid.add_raw("rows", strings_json(view.row_names));
  grid.add_raw("tensors", strings_json(tensors));
  return grid.text();
}

}  // namespace

std::string hist_json(const cpm::HistView& view, const std::filesystem::path& out,
                      const std::vector<std::filesystem::path>& files) {
  JsonObject object;
  object.add("out", out.string());
  std::vector<std::string> names;
  for (const std::filesystem::path& file : files) names.push_back(file.string());
  object.add_raw("files", strings_json(names));
  object.add_raw("axes", axes_json(view));
  object.add_raw("left_out", strings_json(view.left_out));
  object.add_raw("grid", grid_json(view));
  std::vector<std::string> runs;
  for (const cpm::HistRun& run : view.runs) runs.push_back(run_json(run));
  object.add_raw("runs", json_array(runs));
  return object.text();
}

}  // namespace tools
