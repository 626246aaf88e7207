// The folder val/ of a run directory: what each validation found.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "cpm/report/compare.h"
#include "cpm/run_dir.h"
#include "cpm/score.h"

namespace cpm {

struct Validation {
  int64_t step = 0;
  double mean = 0;                                       // PCK@0.2 in [0, 1]
  std::vector<std::pair<std::string, double>> by_joint;  // the data set's order; NaN where none was scored
};

/// A score as JSON text with the keys metric, mean, per_joint, count, threshold (of OKS a list), and of OKS
/// also ap (at each threshold) and mean_oks.
std::string score_json(const Score& result, const JointSchema& schema);

/// val/step-NNNNNNNN/
std::filesystem::path validation_folder(const RunDir& dir, int64_t step);
inline constexpr const char* kOverlayFile = "overlay.png";
/// Writes into validation_folder(): metrics.json and, where there are people, overlay.png.
void write_validation(const RunDir& dir, int64_t step, const Dataset& val,
                      const std::vector<Prediction>& predictions, const Score& result);

/// Every val/step-NNNNNNNN/metrics.json, by step.
std::vector<Validation> read_validations(const std::filesystem::path& run);
/// Removes those of steps above `keep_step`, which a resumed run makes again.
void cut_validations(const std::filesystem::path& run, int64_t keep_step);

/// What a run's validations found, for comparisons; its label is the directory's name. BadData where the path
/// is no run or was never validated.
ComparedRun compared_run(const std::filesystem::path& run);

}  // namespace cpm
