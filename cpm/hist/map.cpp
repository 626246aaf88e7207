// Panels share their rows, the tensors by depth: a map a run, and the band between the quantiles 5 % and 95
// %.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cpm/hist/median_map.h"
#include "cpm/hist/pictures.h"
#include "cpm/report/series.h"

namespace cpm {
namespace {

constexpr double kTitle = 20, kPanelGap = 18;

double rows_height(const HistView& view) {
  return median_row_pitch(view.runs[0].tensors.size()) * static_cast<double>(view.runs[0].tensors.size());
}

size_t panels_across(const HistView& view, double width) {
  if (width >= 900) return view.runs.size() + 1;
  return width >= 500 ? view.runs.size() : 1;
}

/// Panels from left to right and down, each behind room for the rows' names if it is the first of its row.
std::vector<PanelBox> panel_boxes(const HistView& view, double width) {
  const size_t panels = view.runs.size() + 1, across = panels_across(view, width);
  const double names = names_width(layer_names(view)), top = draw_legend(view, nullptr, width) + kMedianBar;
  std::vector<PanelBox> boxes;
  for (size_t i = 0; i < panels; ++i) {
    const auto column = static_cast<double>(i % across), row = static_cast<double>(i / across);
    const auto in_row = static_cast<double>(std::min(across, panels - i / across * across));
    const double each = (width - names - 12 - kPanelGap * (in_row - 1)) / in_row;
    boxes.push_back({names + column * (each + kPanelGap),
                     top + row * (kTitle + rows_height(view) + kMedianAxis) + kTitle, each,
                     rows_height(view)});
  }
  return boxes;
}

MedianMap medians_of(const HistView& view, const HistRun& run) {
  MedianMap map{.range = view.medians, .steps = view.steps};
  for (const HistTensor& tensor : run.tensors) map.medians.push_back(tensor.medians);
  return map;
}

/// A bar from 5 % to 95 % and a mark at the median.
void draw_band(Canvas* canvas, const HistCounts& counts, Tone tone, const LogRange& range,
               const PanelBox& bar) {
  const auto x = [&](double p) {
    const double t = (std::log10(magnitude_quantile(counts, p)) - range.low) / (range.high - range.low);
    return bar.x + std::clamp(t, 0.0, 1.0) * bar.width;
  };
  if (std::isnan(magnitude_quantile(counts, 0.5))) return;
  canvas->rectangle(x(0.05), bar.y, x(0.95) - x(0.05), bar.height, {tone, 0.3});
  canvas->rectangle(x(0.5) - 1.5, bar.y - 0.5, 3, bar.height + 1, {tone});
}

/// Per row: one run's first (grey) and last steps, or the last steps of both runs.
void draw_profile(const HistView& view, Canvas* canvas, const PanelBox& box) {
  const LogRange& range = view.magnitudes;
  for (const int tick : draw_powers(canvas, range, box.x, box.x + box.width, box.y + box.height + 17)) {
    const double x = box.x + (tick - range.low) / (range.high - range.low) * box.width;
    canvas->line(x, box.y, x, box.y + box.height + 4, {Tone::Line});
  }
  const double pitch = median_row_pitch(view.runs[0].tensors.size()), half = (pitch - 4) / 2;
  for (size_t row = 0; row < view.runs[0].tensors.size(); ++row) {
    const double y = box.y + static_cast<double>(row) * pitch + 1.5;
    const HistTensor& first = view.runs[0].tensors[row];
    if (view.runs.size() == 1) {
      draw_band(canvas, first.slices.front(), Tone::Middle, range, {box.x, y, box.width, half});
      draw_band(canvas, first.slices.back(), run_tone(0), range, {box.x, y + half + 1, box.width, half});
      continue;
    }
    for (size_t r = 0; r < view.runs.size(); ++r) {
      draw_band(canvas, view.runs[r].tensors[row].slices.back(), run_tone(r), range,
                {box.x, y + static_cast<double>(r) * (half + 1), box.width, half});
    }
  }
  canvas->text(box.x + box.width, box.y + box.height + 31, "size of the gradient |g|",
               {.anchor = Anchor::End, .size = kSmall});
}

std::string profile_title(const HistView& view) {
  const StepSpan& last = view.slices.back();
  if (view.runs.size() == 2) return fmt::format("middle 90 %, steps {}–{}", last.first, last.last);
  return "middle 90 %: first steps grey, last blue";
}

}  // namespace

double map_height(const HistView& view, double width) {
  const PanelBox last = panel_boxes(view, width).back();
  return last.y + last.height + kMedianAxis;
}

void draw_map(const HistView& view, Canvas* canvas) {
  const double top = draw_legend(view, canvas, canvas->width()),
               pitch = median_row_pitch(view.runs[0].tensors.size());
  draw_median_bar(view.medians, canvas, names_width(layer_names(view)), top);
  const std::vector<PanelBox> boxes = panel_boxes(view, canvas->width());
  const size_t across = panels_across(view, canvas->width());
  for (size_t i = 0; i < boxes.size(); ++i) {
    const PanelBox& box = boxes[i];
    const bool map = i < view.runs.size();
    if (i % across == 0) draw_names(layer_names(view), canvas, box.x - 8, box.y + pitch / 2 + 4, pitch);
    const TextStyle style{
        .tone = map && view.runs.size() == 2 ? run_tone(i) : Tone::Ink, .size = kSmall, .bold = true};
    canvas->text(box.x, box.y - 7, map ? view.runs[i].label : profile_title(view), style);
    if (map) {
      draw_medians(medians_of(view, view.runs[i]), canvas, box);
    } else {
      draw_profile(view, canvas, box);
    }
  }
}

}  // namespace cpm
