// predictions.json and keypoints.json: an array of {image, keypoints: [[x, y, score], ...]}, and the folder
// they go to.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cpm/evaluate.h"

namespace tools {

/// x and y in pixels of the original image, 0-based.
std::string predictions_json(const std::vector<cpm::Prediction>& predictions);

/// Makes the folder (and those above it); CannotWrite where that fails.
std::filesystem::path make_output_folder(const std::string& folder);

}  // namespace tools
