// Line charts as SVG text for the page: colours and strokes come from the page's style sheet by class, so one
// picture serves the light and the dark theme.
#pragma once

#include <string>
#include <vector>

#include "cpm/report/series.h"

namespace cpm {

struct ChartSeries {
  std::string label;  // at the line's end; may be empty
  std::string css;    // class that sets its colour
  Curve curve;
};

struct ChartLevel {
  std::string label, css;
  double y = 0;
};

enum class ChartScale { Linear, Log, Percent };

struct Chart {
  std::string name;               // read aloud in place of the picture
  int width = 360, height = 220;  // of the viewBox; 12 units of it are a line of text
  ChartScale scale = ChartScale::Linear;
  std::string x_title = "step";
  bool end_values = true;  // line ends also say their value
  bool smoothing = true;   // for measurements that scatter
  bool markers = false;    // a dot on each point
  bool whole = false;      // of Percent: the axis goes from 0 to 100 %
  std::vector<ChartSeries> series;
  std::vector<ChartLevel> levels;  // dashed across the chart
};

/// Empty where no series has a point. Curves of more than 200 points are smoothed over a pale raw line, and
/// no line has more than 800 points.
std::string chart_svg(const Chart& chart);

}  // namespace cpm
