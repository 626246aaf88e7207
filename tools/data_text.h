// What cpm-data prints, each as a whole with its line end.
#pragma once

#include <string>

#include "cpm/dataset/survey.h"

namespace tools {

/// A line a fault, then a summary.
std::string check_text(const cpm::CheckResult& result);
/// Keys: ok, data, people, images, faults (each with file, what, expected, got, hint).
std::string check_json(const cpm::CheckResult& result);

std::string stats_text(const cpm::DatasetStats& stats, const cpm::Dataset& dataset);
/// Keys: data, people, images, joints, labelled, per_joint, people_with (from 0 labelled joints up),
/// with_torso, with_company, outside_input, right_shoulder_left (share; null where nobody has both), height.
std::string stats_json(const cpm::DatasetStats& stats, const cpm::Dataset& dataset);

/// Keys: file, records.
std::string written_json(const std::string& file, int64_t records);

}  // namespace tools
