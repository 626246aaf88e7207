// report.html: one self-contained page about a run, no network, no script needed, light and dark, readable on
// a phone and in print. First the answer (did it learn, how good is it, where does it fail), then the
// evidence.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cpm/dataset/image.h"
#include "cpm/hist/median_map.h"
#include "cpm/joint_errors.h"
#include "cpm/plan_table.h"
#include "cpm/validations.h"

namespace cpm {

struct ReportPicture {
  std::string caption;
  Image image;
};

/// Belief maps of one person.
struct ReportBeliefs {
  ReportPicture person;               // with the answer and the truth
  std::vector<ReportPicture> joints;  // a strip each: its map by every stage
};

/// Parts that are empty are left out of the page.
struct ReportInput {
  std::string title;    // the run's name
  std::string summary;  // what was trained on what
  std::string state;    // a sentence about a run that has not ended well; else empty
  std::vector<std::pair<std::string, std::string>> facts;  // "what", "value": beside those the page works out
  std::map<std::string, std::vector<double>> metrics;      // metrics.csv by column
  std::vector<double> dead_plateau;                        // per stage: the loss of learning nothing
  std::vector<Validation> validations;                     // by step
  std::optional<double> mean_pose;                         // PCK@0.2 of always answering it
  std::vector<JointOutcomes> outcomes;                     // of the last validation's by_joint, or empty
  std::vector<std::pair<double, double>> pck_curve;        // (threshold, PCK)
  std::vector<ReportPicture> worst, typical, best;         // predicted and true skeletons
  ReportBeliefs beliefs;
  std::optional<MedianMap> gradients;
  std::vector<ReportPicture> inputs;  // what the network was given, with the joints asked for
  std::string settings_toml;          // run.toml
  std::vector<std::pair<std::string, std::string>> environment;
  std::vector<PlanLayer> plan;
};

/// The page; everything from outside is escaped.
std::string report_html(const ReportInput& input);

/// Loss curves (log axis) per stage with the dead plateau dashed; step axis. SVG text.
std::string loss_chart_svg(const ReportInput& input);

}  // namespace cpm
