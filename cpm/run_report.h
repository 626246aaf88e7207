// What a run directory gets beside its metrics: the plan of convolution rows, validation results, the report
// page.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cpm/config.h"
#include "cpm/report/compare.h"
#include "cpm/run_dir.h"
#include "cpm/score.h"
#include "cpm/trainer.h"

namespace cpm {

/// plan.json: problem and direction -> row. Empty where there is no such file.
std::map<std::string, std::string> read_plan(const RunDir& dir);
void write_plan(const RunDir& dir, const std::map<std::string, std::string>& plan);

/// val/step-NNNNNNNN/
std::filesystem::path validation_folder(const RunDir& dir, int64_t step);
inline constexpr const char* kOverlayFile = "overlay.png";
/// Writes into validation_folder(): metrics.json and, where there are people, overlay.png.
void write_validation(const RunDir& dir, int64_t step, const Dataset& val,
                      const std::vector<Prediction>& predictions, const Score& result);

/// What a run's validations found, for comparisons; its label is the directory's name. BadData where the path
/// is no run or was never validated.
ComparedRun read_validation(const std::filesystem::path& run);

/// A score as JSON text with the keys metric, mean, per_joint, count, threshold (of OKS a list), and of OKS
/// also ap (at each threshold) and mean_oks.
std::string score_json(const Score& result, const JointSchema& schema);

struct RunReport {
  const RunDir* dir = nullptr;
  const Config* config = nullptr;
  const TrainOutcome* outcome = nullptr;
  Model* model = nullptr;
  StepRunner* runner = nullptr;  // null where there is no validation data
  const Dataset* val = nullptr;
  const std::vector<Prediction>* predictions = nullptr;
  std::string data, val_data, plan;
};

/// report.html, from the metrics files of the whole run and the last validation.
void write_report(const RunReport& run);

}  // namespace cpm
