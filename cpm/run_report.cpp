#include "cpm/run_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "cpm/joint_errors.h"
#include "cpm/json_file.h"
#include "cpm/pictures.h"
#include "cpm/plan_table.h"
#include "cpm/report/report.h"
#include "cpm/report_environment.h"
#include "cpm/validations.h"
#include "engine/io/file.h"

namespace cpm {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace {

constexpr const char* kMadeAgain = "remove the file; it is made again";

fs::path plan_file(const RunDir& dir) {
  return dir.path() / "plan.json";
}

}  // namespace

std::map<std::string, std::string> read_plan(const RunDir& dir) {
  std::map<std::string, std::string> plan;
  if (!fs::exists(plan_file(dir))) return plan;
  const ordered_json doc = read_json_object(plan_file(dir), kMadeAgain);
  for (const auto& [key, row] : doc.items()) {
    if (row.is_string()) plan[key] = row.get<std::string>();
  }
  return plan;
}

void write_plan(const RunDir& dir, const std::map<std::string, std::string>& plan) {
  engine::write_text(plan_file(dir), ordered_json(plan).dump(1) + "\n");
}

namespace {

std::string with_commas(int64_t number) {
  std::string text = std::to_string(number);
  for (size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

void add_words(const RunReport& run, ReportInput* page) {
  const TrainOutcome& o = *run.outcome;
  const Model& model = *run.net->model;
  page->title = run.dir->path().filename().string();
  page->state = run.state;
  page->summary = fmt::format("A Convolutional Pose Machine of {} stage{}, trained on {}.", model.stages(),
                              model.stages() == 1 ? "" : "s", run.data->description);
  if (run.data->val) page->summary += fmt::format(" Validated on {}.", run.data->val_description);
  const double epochs = static_cast<double>(o.steps) * run.data->source->batch_size() /
                        static_cast<double>(run.data->source->epoch_size());
  page->facts = {{"Steps (epochs)", fmt::format("{} ({:.{}f})", o.steps, epochs, epochs < 10 ? 2 : 0)},
                 {"Time", duration_text(o.seconds)},
                 {"Parameters", with_commas(model.parameters().count())}};
}

void add_metrics(const RunReport& run, ReportInput* page) {
  page->metrics = read_metrics(run.dir->path() / "metrics.csv");
  for (int t = 1; t <= run.net->model->stages(); ++t) {
    const auto& column = page->metrics[fmt::format("dead_stage{}", t)];
    const double sum = std::accumulate(column.begin(), column.end(), 0.0);
    if (!column.empty()) page->dead_plateau.push_back(sum / static_cast<double>(column.size()));
  }
  page->gradients = read_median_map(run.dir->path() / "grads");
  page->plan = plan_table(run.net->runner->plan().lines());
}

ReportPicture person_found(const RunReport& run, const PersonScore& score) {
  constexpr int kSide = 256;
  const Dataset& val = *run.data->val;
  std::string caption =
      fmt::format("{}: {} of {} joints", val.record(score.person).name, score.found, score.scored);
  if (std::isfinite(score.mean_distance))
    caption += fmt::format(", mean error {:.0f} % of the torso", 100 * score.mean_distance);
  const Prediction& found = (*run.predictions)[static_cast<size_t>(score.person)];
  return {caption, person_picture(val, score.person, kSide, found)};
}

void add_beliefs(const RunReport& run, const PersonScore& score, ReportInput* page) {
  constexpr int kTile = 96;
  const Dataset& val = *run.data->val;
  const Model& model = *run.net->model;
  const PersonView view = person_view(val, score.person, kTile);
  const auto stages = person_beliefs(*run.predictor, model, val, score.person,
                                     {.input = static_cast<int>(run.config->data.input)});
  page->beliefs.person = person_found(run, score);
  for (int j = 0; j <= model.joints(); ++j) {
    std::vector<std::vector<float>> maps;
    std::string peaks;
    for (const std::vector<float>& all : stages) {
      const auto cells = static_cast<ptrdiff_t>(all.size()) / (model.joints() + 1);
      maps.emplace_back(all.begin() + j * cells, all.begin() + (j + 1) * cells);
      const float peak = *std::max_element(maps.back().begin(), maps.back().end());
      peaks += fmt::format("{}{:.2f}", peaks.empty() ? "" : " → ", peak);
    }
    std::string name = j < model.joints() ? val.schema().names[static_cast<size_t>(j)] : "background";
    std::replace(name.begin(), name.end(), '_', ' ');
    if (j < model.joints()) name += ": " + peaks;
    page->beliefs.joints.push_back({name, belief_strip(view, j, maps)});
  }
}

/// The person whose belief maps are shown: the one that was asked for, or the typical one.
PersonScore chosen_person(const RunReport& run, const std::vector<PersonScore>& ranked) {
  const int64_t asked = run.config->report.image - 1;
  const auto found = std::find_if(ranked.begin(), ranked.end(),
                                  [&](const PersonScore& score) { return score.person == asked; });
  if (found != ranked.end()) return *found;
  if (asked < 0 && !ranked.empty()) return ranked[ranked.size() / 2];
  return {.person = std::max<int64_t>(0, asked)};  // none of whose joints were scored
}

void add_validation(const RunReport& run, ReportInput* page) {
  page->validations = read_validations(run.dir->path());
  if (run.predictions == nullptr || run.predictions->empty()) return;
  page->mean_pose = run.outcome->mean_pose;
  const Dataset& val = *run.data->val;
  const int joints = val.schema().count();
  const std::vector<JointError> errors = joint_errors(val, *run.predictions);
  page->outcomes = outcomes_by_joint(errors, joints, kPckThreshold);
  page->pck_curve = pck_curve(errors, joints, 0.5, 51);
  const std::vector<PersonScore> ranked = rank_people(errors, kPckThreshold);
  const PeopleChoice people = choose_people(ranked, run.config->report.worst);
  for (const PersonScore& score : people.worst) page->worst.push_back(person_found(run, score));
  for (const PersonScore& score : people.typical) page->typical.push_back(person_found(run, score));
  for (const PersonScore& score : people.best) page->best.push_back(person_found(run, score));
  if (run.predictor != nullptr) add_beliefs(run, chosen_person(run, ranked), page);
}

void add_inputs(const RunReport& run, ReportInput* page) {
  constexpr int kSamples = 12, kSide = 160;
  const Batch batch = run.data->source->first_samples(kSamples);
  for (int i = 0; i < batch.n; ++i) {
    std::string caption = fmt::format("row {}", i + 1);
    if (run.data->train) {
      const auto place = static_cast<size_t>(i);
      caption =
          run.data->train->record(batch.records[place]).name + (batch.crops[place].flip ? ", mirrored" : "");
    }
    page->inputs.push_back({caption, input_picture(batch, i, run.data->source->schema(), kSide)});
  }
}

}  // namespace

void write_report(const RunReport& run) {
  ReportInput page;
  add_words(run, &page);
  add_metrics(run, &page);
  add_validation(run, &page);
  add_inputs(run, &page);
  page.settings_toml = run.config->to_toml();
  page.environment = environment_rows(read_json_object(run.dir->path() / "env.json", kMadeAgain));
  engine::write_text(run.dir->path() / "report.html", report_html(page));
}

}  // namespace cpm
