// report.html: one self-contained page about a run, no network, no script needed, light and dark, readable on
// a phone and in print.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cpm/dataset/image.h"

namespace cpm {

struct ReportPicture {
  std::string caption;
  Image image;
};

struct ReportInput {
  std::string title;                                       // the run's name
  std::string summary;                                     // one or two plain sentences
  std::vector<std::pair<std::string, std::string>> facts;  // "what", "value": headline numbers
  std::map<std::string, std::vector<double>> metrics;      // metrics.csv by column
  std::vector<double> dead_plateau;  // per stage: the loss of learning nothing; may be empty
  // Validation curve: (step, mean PCK@0.2 in [0, 1]); and the last one by joint.
  std::vector<std::pair<int64_t, double>> validation;
  std::vector<std::pair<std::string, double>> validation_by_joint;
  std::vector<ReportPicture> overlays;  // predicted and true skeletons
  std::vector<ReportPicture> beliefs;   // one sheet or picture per stage
  std::string settings_toml;            // run.toml
  std::vector<std::pair<std::string, std::string>> environment;
  std::string plan;  // convolution rows, preformatted text
};

/// The page; everything from outside is escaped.
std::string report_html(const ReportInput& input);

/// Loss curves (log axis) per stage with the dead plateau dashed; step axis. SVG text.
std::string loss_chart_svg(const ReportInput& input);

}  // namespace cpm
