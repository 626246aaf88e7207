// Medians of |g| as colours, by depth and step: the picture of cpm-hist's map and of a run's report.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cpm/hist/choice.h"
#include "cpm/report/canvas.h"

namespace cpm {

struct MedianMap {
  std::vector<std::string> layers;           // by depth
  std::vector<std::vector<double>> medians;  // [layers, columns] over equal parts of `steps`
  LogRange range;                            // of the colours
  StepSpan steps;
};

/// Of the weights, read off quantiles.csv in a run's grads/, which is quicker than the histograms; a column's
/// median is the middle one of its records', and that of the column before where it has none. None where
/// there is no such file or no record in it; what is damaged is left out.
std::optional<MedianMap> read_median_map(const std::filesystem::path& grads);

/// The picture for a width, and its height. The map holds a layer at least.
double median_map_height(const MedianMap& map);
void draw_median_map(const MedianMap& map, Canvas* canvas);

// Its parts, which pictures of several panels share:

struct PanelBox {
  double x, y, width, height;
};

inline constexpr double kMedianBar = 40;   // height of the bar of colours
inline constexpr double kMedianAxis = 40;  // and of the axis of steps

double median_row_pitch(size_t layers);
void draw_median_bar(const LogRange& range, Canvas* canvas, double left, double y);
/// A row a layer, and the axis of steps below.
void draw_medians(const MedianMap& map, Canvas* canvas, const PanelBox& box);

}  // namespace cpm
