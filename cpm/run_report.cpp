#include "cpm/run_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "cpm/pictures.h"
#include "cpm/report/draw.h"
#include "cpm/report/report.h"
#include "cpm/train_session.h"
#include "engine/io/file.h"

namespace cpm {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace {

constexpr uint64_t kMostJsonBytes = uint64_t{16} << 20;

fs::path plan_file(const RunDir& dir) {
  return dir.path() / "plan.json";
}

ordered_json parse_json(const fs::path& file) {
  const ordered_json doc = ordered_json::parse(engine::read_text(file, kMostJsonBytes), nullptr, false);
  if (doc.is_discarded() || !doc.is_object()) {
    throw kernels::Error(kernels::ExitCode::BadData, {.where = file.string(),
                                                      .what = "not a JSON object",
                                                      .expected = "what cpm-train wrote",
                                                      .got = doc.is_discarded() ? "no JSON" : doc.type_name(),
                                                      .hint = "remove the file; it is made again"});
  }
  return doc;
}

/// (step, mean) of every val/step-*/metrics.json, in order.
std::vector<std::pair<int64_t, double>> validation_curve(const RunDir& dir) {
  std::vector<std::pair<int64_t, double>> curve;
  std::error_code missing;
  for (const auto& entry : fs::directory_iterator(dir.path() / "val", missing)) {
    const std::string name = entry.path().filename().string();
    int64_t step = 0;
    if (name.compare(0, 5, "step-") != 0) continue;
    std::from_chars(name.data() + 5, name.data() + name.size(), step);
    const fs::path file = entry.path() / "metrics.json";
    if (!fs::exists(file, missing)) continue;
    const ordered_json doc = parse_json(file);
    const auto mean = doc.find("mean");
    if (mean == doc.end() || !mean->is_number()) {
      throw kernels::Error(kernels::ExitCode::BadData,
                           {.where = file.string(),
                            .what = "the key mean is missing or wrong",
                            .expected = "a number",
                            .got = mean == doc.end() ? "none" : mean->type_name(),
                            .hint = "remove the file; training on writes the next one"});
    }
    curve.emplace_back(step, mean->get<double>());
  }
  std::sort(curve.begin(), curve.end());
  return curve;
}

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

}  // namespace

std::map<std::string, std::string> read_plan(const RunDir& dir) {
  std::map<std::string, std::string> plan;
  if (!fs::exists(plan_file(dir))) return plan;
  const ordered_json doc = parse_json(plan_file(dir));
  for (const auto& [key, row] : doc.items()) {
    if (row.is_string()) plan[key] = row.get<std::string>();
  }
  return plan;
}

void write_plan(const RunDir& dir, const std::map<std::string, std::string>& plan) {
  engine::write_text(plan_file(dir), ordered_json(plan).dump(1) + "\n");
}

std::string score_json(const Score& result, const JointSchema& schema) {
  return score_object(result, schema).dump();
}

fs::path validation_folder(const RunDir& dir, int64_t step) {
  return dir.path() / "val" / fmt::format("step-{:08}", step);
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

ComparedRun read_validation(const fs::path& path) {
  const RunDir dir = RunDir::open(path);
  Config config;
  config.load(path / "run.toml");
  const fs::path whole = fs::absolute(path / "").parent_path().lexically_normal();
  ComparedRun run{
      .label = whole.filename().string(), .stages = config.model.stages, .validation = validation_curve(dir)};
  if (run.validation.empty()) {
    throw kernels::Error(kernels::ExitCode::BadData, {.where = path.string(),
                                                      .what = "the run was never validated",
                                                      .expected = "val/step-NNNNNNNN/metrics.json",
                                                      .got = "none",
                                                      .hint = "train with --val and train.val_every"});
  }
  return run;
}

namespace {

void add_facts(const RunReport& run, ReportInput* page) {
  const TrainOutcome& o = *run.outcome;
  page->facts.emplace_back("Steps", std::to_string(o.steps));
  page->facts.emplace_back("Time", duration_text(o.seconds));
  page->facts.emplace_back("Last loss", fmt::format("{:.4g}", o.loss));
  if (o.validation) {
    page->facts.emplace_back("Validation PCK@0.2", fmt::format("{:.1f} %", 100 * o.validation->mean));
    page->facts.emplace_back("Mean pose PCK@0.2", fmt::format("{:.1f} %", 100 * *o.mean_pose));
  }
  page->facts.emplace_back("Parameters", std::to_string(run.model->parameters().count()));
}

void add_pictures(const RunReport& run, ReportInput* page) {
  constexpr int kPeople = 12, kSide = 256, kTile = 128;
  const Dataset& val = *run.val;
  const int64_t people = std::min<int64_t>(kPeople, val.size());
  for (int64_t i = 0; i < people; ++i) {
    page->overlays.push_back(
        {val.record(i).name, person_picture(val, i, kSide, (*run.predictions)[static_cast<size_t>(i)])});
  }
  if (people == 0) return;
  const auto input = static_cast<int>(run.config->data.input);
  const Crop crop = person_crop(val.record(0).person, input);
  const Image image = val.image(0);
  std::vector<std::vector<float>> stages;
  predict_crop(*run.runner, *run.model, image, crop, val.schema(), &stages);
  std::vector<float> planes(static_cast<size_t>(3) * input * input);
  sample_crop(image, crop, planes.data());
  const Image picture = image_of_input(planes.data(), input, input);
  for (size_t t = 0; t < stages.size(); ++t) {
    page->beliefs.push_back({fmt::format("Stage {}: one tile per joint, background last", t + 1),
                             belief_sheet(picture, stages[t], run.model->joints(), kTile)});
  }
}

}  // namespace

void write_report(const RunReport& run) {
  ReportInput page;
  page.title = run.dir->path().filename().string();
  page.summary =
      fmt::format("A Convolutional Pose Machine of {} stages trained on {}.", run.model->stages(), run.data);
  if (run.val != nullptr) page.summary += fmt::format(" Validated on {}.", run.val_data);
  add_facts(run, &page);
  page.metrics = read_metrics(run.dir->path() / "metrics.csv");
  for (int t = 1; t <= run.model->stages(); ++t) {
    const auto& column = page.metrics[fmt::format("dead_stage{}", t)];
    double sum = 0;
    for (const double value : column) sum += value;
    if (!column.empty()) page.dead_plateau.push_back(sum / static_cast<double>(column.size()));
  }
  page.validation = validation_curve(*run.dir);
  if (run.outcome->validation) {
    const Score& last = *run.outcome->validation;
    for (size_t j = 0; j < last.per_joint.size(); ++j) {
      if (last.per_joint_count[j] > 0) {
        page.validation_by_joint.emplace_back(run.val->schema().names[j], last.per_joint[j]);
      }
    }
    add_pictures(run, &page);
  }
  page.settings_toml = run.config->to_toml();
  const ordered_json environment = parse_json(run.dir->path() / "env.json");
  for (const auto& [key, value] : environment.items()) {
    page.environment.emplace_back(key, value.is_string() ? value.get<std::string>() : value.dump());
  }
  page.plan = run.plan;
  engine::write_text(run.dir->path() / "report.html", report_html(page));
}

}  // namespace cpm
