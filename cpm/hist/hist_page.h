// The page of cpm-hist, and the files beside it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cpm/hist/view.h"

namespace cpm {

/// One HTML file: what is seen in words, and the pictures in three sizes for both themes.
std::string hist_html(const HistView& view);

/// ridgelines, map and grid as .svg and .png, quantiles.csv, grid.csv; returns their paths. The folder
/// exists.
std::vector<std::filesystem::path> write_hist_files(const HistView& view,
                                                    const std::filesystem::path& folder);

/// run,step,tensor,kind,depth,stage,q05,q25,q50,q75,q95,zero,non_finite,mean,max,l2,update_ratio; an unknown
/// value is an empty cell. `run` is a or b.
std::string quantiles_csv(const HistView& view);
/// run,rows,tensor,low,high,share: the grid's histograms.
std::string grid_csv(const HistView& view);

}  // namespace cpm
