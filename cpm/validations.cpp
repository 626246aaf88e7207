#include "cpm/validations.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>

#include "cpm/config.h"
#include "cpm/json_file.h"
#include "cpm/pictures.h"
#include "engine/io/file.h"

namespace cpm {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace {

constexpr const char* kPrefix = "step-";

ordered_json score_object(const Score& result, const JointSchema& schema) {
  ordered_json per_joint = ordered_json::object();
  for (size_t j = 0; j < result.per_joint.size(); ++j) {
    per_joint[schema.names[j]] =
        result.per_joint_count[j] > 0 ? ordered_json(result.per_joint[j]) : ordered_json();
  }
  const bool oks = result.metric == Metric::Oks;
  ordered_json object = {
      {"metric", name_of(result.metric)},
      {"mean", result.mean},
      {"per_joint", per_joint},
      {"count", result.count},
      {"threshold", oks ? ordered_json(oks_thresholds()) : ordered_json(result.threshold)}};
  if (oks) {
    object["ap"] = result.ap;
    object["mean_oks"] = result.mean_oks;
  }
  return object;
}

/// (step, folder) of every val/step-NNNNNNNN, by step.
std::vector<std::pair<int64_t, fs::path>> folders(const fs::path& run) {
  std::vector<std::pair<int64_t, fs::path>> found;
  std::error_code missing;
  for (const auto& entry : fs::directory_iterator(run / "val", missing)) {
    const std::string name = entry.path().filename().string(), prefix = kPrefix;
    int64_t step = 0;
    const char* end = name.data() + name.size();
    if (name.rfind(prefix, 0) != 0) continue;
    if (std::from_chars(name.data() + prefix.size(), end, step).ptr == end)
      found.emplace_back(step, entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

Validation read_one(int64_t step, const fs::path& file) {
  const std::string hint = "remove the file; training on writes the next one";
  const ordered_json doc = read_json_object(file, hint);
  const auto mean = doc.find("mean");
  if (mean == doc.end() || !mean->is_number()) {
    throw kernels::Error(kernels::ExitCode::BadData, {.where = file.string(),
                                                      .what = "the key mean is missing or wrong",
                                                      .expected = "a number",
                                                      .got = mean == doc.end() ? "none" : mean->type_name(),
                                                      .hint = hint});
  }
  const auto number = [](const ordered_json& value) {
    return value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN();
  };
  Validation validation{.step = step, .mean = mean->get<double>()};
  const ordered_json per_joint = doc.value("per_joint", ordered_json::object());
  for (const auto& [name, value] : per_joint.items()) validation.by_joint.emplace_back(name, number(value));
  return validation;
}

}  // namespace

std::string score_json(const Score& result, const JointSchema& schema) {
  return score_object(result, schema).dump();
}

fs::path validation_folder(const RunDir& dir, int64_t step) {
  return dir.path() / "val" / fmt::format("{}{:08}", kPrefix, step);
}

void write_validation(const RunDir& dir, int64_t step, const Dataset& val,
                      const std::vector<Prediction>& predictions, const Score& result) {
  constexpr int kPeople = 16;
  const fs::path folder = validation_folder(dir, step);
  std::error_code ignored;  // writing into it says what is wrong
  fs::create_directories(folder, ignored);
  engine::write_text(folder / "metrics.json", score_object(result, val.schema()).dump(1) + "\n");
  write_overlay_sheet(folder / kOverlayFile, val, predictions, kPeople);
}

std::vector<Validation> read_validations(const fs::path& run) {
  std::vector<Validation> validations;
  std::error_code missing;
  for (const auto& [step, folder] : folders(run)) {
    const fs::path file = folder / "metrics.json";
    if (fs::exists(file, missing)) validations.push_back(read_one(step, file));
  }
  return validations;
}

void cut_validations(const fs::path& run, int64_t keep_step) {
  std::error_code ignored;
  for (const auto& [step, folder] : folders(run)) {
    if (step <= keep_step) continue;
    for (const char* name : {"metrics.json", kOverlayFile}) fs::remove(folder / name, ignored);
    fs::remove(folder, ignored);  // unless somebody keeps more in it
  }
}

ComparedRun compared_run(const fs::path& path) {
  const RunDir dir = RunDir::open(path);
  Config config;
  config.load(path / "run.toml");
  const fs::path whole = fs::absolute(path / "").parent_path().lexically_normal();
  ComparedRun run{.label = whole.filename().string(), .stages = config.model.stages, .validation = {}};
  for (const Validation& validation : read_validations(path))
    run.validation.emplace_back(validation.step, validation.mean);
  if (run.validation.empty()) {
    throw kernels::Error(kernels::ExitCode::BadData, {.where = path.string(),
                                                      .what = "the run was never validated",
                                                      .expected = "val/step-NNNNNNNN/metrics.json",
                                                      .got = "none",
                                                      .hint = "train with --val and train.val_every"});
  }
  return run;
}

}  // namespace cpm
