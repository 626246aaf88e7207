// What cpm-hist prints under --json.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cpm/hist/view.h"

namespace tools {

/// {"out", "files", "axes": {"magnitude", "median", "signed"}, "left_out", "grid": {"rows", "tensors"},
/// "runs": [{"run", "path", "label", "intermediate_supervision", "steps", "tensors": [{"name", "layer",
/// "kind", "depth", "stage", "q05",
/// ..., "q95", "zero", "non_finite", "mean", "max", "l2", "update_ratio"}]}]}; the lists of a tensor go along
/// "steps", null where there is nothing (no element that is not zero). Axes of magnitude are powers of ten.
std::string hist_json(const cpm::HistView& view, const std::filesystem::path& out,
                      const std::vector<std::filesystem::path>& files);

}  // namespace tools
