#include "cpm/train_report.h"

#include <fmt/format.h>

#include <exception>

#include "engine/runtime/clock.h"

namespace cpm {

void TrainReport::write(const TrainOutcome& outcome, const std::string& state, bool beliefs) {
  const auto start = Clock::now();
  RunReport report = parts_;
  report.outcome = &outcome;
  report.state = state;
  report.predictions = &validation_->predictions();
  report.predictor = beliefs ? validation_->predictor() : nullptr;
  write_report(report);
  took_ = engine::seconds_since(start);
  written_ = Clock::now();
}

void TrainReport::try_to_write(const TrainOutcome& outcome, const std::string& state, bool beliefs) {
  try {
    write(outcome, state, beliefs);
  } catch (const std::exception& error) {
    console_->warn(fmt::format("no report of step {}: {}", outcome.steps, error.what()));
  }
}

void TrainReport::while_training(const TrainOutcome& outcome) {
  constexpr double kShare = 0.05;
  if (!parts_.data->val || took_ > kShare * engine::seconds_since(written_)) return;
  try_to_write(outcome,
               fmt::format("Training goes on: this was written after step {} of {}.", outcome.steps, total_),
               true);
}

void TrainReport::broken_off(const TrainOutcome& outcome, const std::string& how, const std::string& why) {
  if (outcome.steps == 0) return;
  try_to_write(outcome, fmt::format("{} after step {} of {}{}", how, outcome.steps, total_, why), false);
}

void TrainReport::at_the_end(const TrainOutcome& outcome) {
  write(outcome, "", true);
}

}  // namespace cpm
