// What a run directory gets beside its metrics and validations: the plan of convolution rows and the report
// page.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cpm/config.h"
#include "cpm/evaluate.h"
#include "cpm/run_dir.h"
#include "cpm/train_session.h"
#include "cpm/trainer.h"

namespace cpm {

/// plan.json: problem and direction -> row. Empty where there is no such file.
std::map<std::string, std::string> read_plan(const RunDir& dir);
void write_plan(const RunDir& dir, const std::map<std::string, std::string>& plan);

struct RunReport {
  const RunDir* dir = nullptr;
  const Config* config = nullptr;
  const TrainData* data = nullptr;
  const TrainNet* net = nullptr;
  const TrainOutcome* outcome = nullptr;
  std::string state;                                     // of a run that goes on or ended badly, a sentence
  const std::vector<Prediction>* predictions = nullptr;  // of the last validation; null where there was none
  StepRunner* predictor = nullptr;                       // null: no belief maps
};

/// report.html, from the files of the whole run and the last validation. Takes some tenths of a second, and
/// the time of a validation batch where there are belief maps.
void write_report(const RunReport& run);

}  // namespace cpm
