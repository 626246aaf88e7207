// The parts of report.html; each is markup, or empty where its data is. Private to cpm/report.
#pragma once

#include <cmath>
#include <string>

#include "cpm/report/report.h"

namespace cpm {

// What is known of a run in figures, for the first sentence and the tiles:

/// The mean of a stage's last losses (a twentieth of all), over the dead plateau; NaN where either is not
/// known. `stage` from 0.
double loss_share(const ReportInput& input, size_t stage);
/// Number of stages with a column of losses.
size_t stage_count(const ReportInput& input);
/// Whether it learned, how good it is, where it fails.
std::string verdict(const ReportInput& input);
/// Tiles: what the page works out and what it was given.
std::vector<std::pair<std::string, std::string>> report_facts(const ReportInput& input);

std::string accuracy_section(const ReportInput& input);
std::string people_section(const ReportInput& input);
std::string beliefs_section(const ReportInput& input);
std::string learning_section(const ReportInput& input);
std::string gradients_section(const ReportInput& input);
std::string inputs_section(const ReportInput& input);
std::string speed_section(const ReportInput& input);
std::string repeat_section(const ReportInput& input);

/// "right_ankle" as people write it.
std::string joint_name(std::string name);
/// Class of the side's colour: "right", "left" or "middle".
std::string side_class(const std::string& joint);

inline constexpr const char* kSideKeys =
    "<span><i class=\"right\"></i>right side</span><span><i class=\"left\"></i>left side</span>"
    "<span><i class=\"middle\"></i>middle</span>";

}  // namespace cpm
