// When a training run writes report.html.
#pragma once

#include <chrono>
#include <string>

#include "cpm/run_report.h"
#include "cpm/train_validation.h"

namespace cpm {

class TrainReport {
 public:
  /// All must outlive this. `total`: steps of the run.
  TrainReport(const RunDir& dir, const Config& config, const TrainData& data, const TrainNet& net,
              const TrainValidation& validation, Console* console, int64_t total)
      : parts_{.dir = &dir, .config = &config, .data = &data, .net = &net},
        validation_(&validation),
        console_(console),
        total_(total) {}

  /// After a validation; left out where reports would take more than a twentieth of the time. What cannot be
  /// written is a warning.
  void while_training(const TrainOutcome& outcome);
  /// Of a run that did not reach its end, what its files say, without computing any more. `how` begins the
  /// sentence "... after step N of M"; what is behind it follows. What cannot be written is a warning.
  void broken_off(const TrainOutcome& outcome, const std::string& how, const std::string& why);
  /// Of a run that did.
  void at_the_end(const TrainOutcome& outcome);

 private:
  using Clock = std::chrono::steady_clock;

  void write(const TrainOutcome& outcome, const std::string& state, bool beliefs);
  void try_to_write(const TrainOutcome& outcome, const std::string& state, bool beliefs);

  RunReport parts_;
  const TrainValidation* validation_;
  Console* console_;
  int64_t total_;
  Clock::time_point written_ = Clock::now();  // the last one, or since when there is none
  double took_ = 0;                           // seconds
};

}  // namespace cpm
