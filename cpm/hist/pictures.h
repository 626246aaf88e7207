// The pictures of cpm-hist. Each is drawn for a width, which decides how many panels lie side by side, and
// says what height it then takes.
#pragma once

#include <string>
#include <vector>

#include "cpm/hist/view.h"
#include "cpm/report/canvas.h"

namespace cpm {

/// Distributions of |g|, one ridge a tensor: depth goes down, steps go across.
double ridgelines_height(const HistView& view, double width);
void draw_ridgelines(const HistView& view, Canvas* canvas);

/// Medians of |g| as colours by depth and step, a map a run, and beside them the middle 90 % by depth.
double map_height(const HistView& view, double width);
void draw_map(const HistView& view, Canvas* canvas);

/// The paper's figure: signed gradients by layer (across) and epoch (down).
double grid_height(const HistView& view, double width);
void draw_grid(const HistView& view, Canvas* canvas);

// What they share:

/// The colour of a run.
Tone run_tone(size_t run);
/// A line of keys from (x, y), a swatch and a label a run; nothing for a single run. Returns the height taken
/// for a width, whether drawn (`canvas` not null) or not.
double draw_legend(const HistView& view, Canvas* canvas, double width);
/// Names of the view's layers.
std::vector<std::string> layer_names(const HistView& view);
/// Width of the widest name in small text, with a gap.
double names_width(const std::vector<std::string>& names);
/// Names powers of ten along an axis from `left` to `right`, baseline `y`, as many as there is room for;
/// returns them. Names at the ends stay within the axis.
std::vector<int> draw_powers(Canvas* canvas, const LogRange& range, double left, double right, double y);
/// The end of the signed axis: "0.005", "5·10⁻⁴".
std::string range_text(const HistView& view);
/// Names down from y, at the right edge x, a row of `pitch` each.
void draw_names(const std::vector<std::string>& names, Canvas* canvas, double x, double y, double pitch);

inline constexpr double kSmall = 11;  // text of labels

}  // namespace cpm
