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

/// The folder that outputs go to, made with those above it (CannotWrite where that fails). What was made is
/// removed again if nothing was written: an error leaves no empty folder behind.
class OutputFolder {
 public:
  explicit OutputFolder(const std::filesystem::path& folder);
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  std::vector<std::filesystem::path> made_;  // the innermost first
};

}  // namespace tools
