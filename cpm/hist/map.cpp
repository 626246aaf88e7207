// Panels share their rows, the tensors by depth: a map a run, and the band between the quantiles 5 % and 95
// %.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cpm/hist/pictures.h"
#include "cpm/report/color_map.h"
#include "cpm/report/series.h"

namespace cpm {
namespace {

constexpr double kBarHeight = 40, kTitle = 20, kAxis = 40, kPanelGap = 18;
constexpr Color kNothing = {0x8b, 0x95, 0xa1};  // no gradient at all: a grey that the ramp has not
constexpr double kDarkEnd = 0.08;               // of the ramp: near black would be lost on a dark page

struct Box {
  double x, y, width, height;
};

double row_pitch(const HistView& view) {
  return view.runs[0].tensors.size() > 30 ? 14 : 17;
}

double rows_height(const HistView& view) {
  return row_pitch(view) * static_cast<double>(view.runs[0].tensors.size());
}

size_t panels_across(const HistView& view, double width) {
  if (width >= 900) return view.runs.size() + 1;
  return width >= 500 ? view.runs.size() : 1;
}

/// Panels from left to right and down, each behind room for the rows' names if it is the first of its row.
std::vector<Box> panel_boxes(const HistView& view, double width) {
  const size_t panels = view.runs.size() + 1, across = panels_across(view, width);
  const double names = names_width(view), top = draw_legend(view, nullptr, width) + kBarHeight;
  std::vector<Box> boxes;
  for (size_t i = 0; i < panels; ++i) {
    const auto column = static_cast<double>(i % across), row = static_cast<double>(i / across);
    const auto in_row = static_cast<double>(std::min(across, panels - i / across * across));
    const double each = (width - names - 12 - kPanelGap * (in_row - 1)) / in_row;
    boxes.push_back({names + column * (each + kPanelGap),
                     top + row * (kTitle + rows_height(view) + kAxis) + kTitle, each, rows_height(view)});
  }
  return boxes;
}

Color color_of(const LogRange& range, double magnitude) {
  if (!(magnitude > 0) || !std::isfinite(magnitude)) return kNothing;
  const double t = (std::log10(magnitude) - range.low) / (range.high - range.low);
  return belief_color(kDarkEnd + (1 - kDarkEnd) * std::clamp(t, 0.0, 1.0));
}

void draw_color_bar(const HistView& view, Canvas* canvas, double y) {
  constexpr int kSteps = 128;
  const double left = names_width(view), width = std::min(300.0, canvas->width() - left - 12);
  Image ramp(kSteps, 1, Color{0, 0, 0});
  for (int i = 0; i < kSteps; ++i) {
    const double t = (i + 0.5) / kSteps;
    const LogRange& range = view.medians;
    const Color color = color_of(range, std::pow(10.0, range.low + t * (range.high - range.low)));
    std::copy(color.begin(), color.end(), ramp.at(i, 0));
  }
  canvas->text(left - 8, y + 10, "median |g|", {.tone = Tone::Ink, .anchor = Anchor::End, .size = kSmall});
  canvas->cells(left, y, width, 12, ramp);
  draw_powers(canvas, view.medians, left, left + width, y + 25);
}

void draw_steps(const HistView& view, Canvas* canvas, const Box& box) {
  const auto low = static_cast<double>(view.steps.first), high = static_cast<double>(view.steps.last);
  const ChartAxis axis = step_axis(low, high, static_cast<int>(box.width / 50));
  for (const double tick : axis.ticks) {
    const double x = box.x + axis.at(tick) * box.width;
    canvas->line(x, box.y + box.height, x, box.y + box.height + 4, {Tone::Soft, 0.55});
    canvas->text(x, box.y + box.height + 17, axis.label(tick), {.anchor = Anchor::Middle, .size = kSmall});
  }
  canvas->text(box.x + box.width, box.y + box.height + 31, "step", {.anchor = Anchor::End, .size = kSmall});
}

void draw_medians(const HistView& view, const HistRun& run, Canvas* canvas, const Box& box) {
  Image image(static_cast<int>(view.columns.size()), static_cast<int>(run.tensors.size()), kNothing);
  for (int row = 0; row < image.height; ++row) {
    for (int column = 0; column < image.width; ++column) {
      const Color color = color_of(view.medians, run.tensors[row].medians[column]);
      std::copy(color.begin(), color.end(), image.at(column, row));
    }
  }
  canvas->cells(box.x, box.y, box.width, box.height, image);
  draw_steps(view, canvas, box);
}

/// A bar from 5 % to 95 % and a mark at the median.
void draw_band(Canvas* canvas, const HistCounts& counts, Tone tone, const LogRange& range, const Box& bar) {
  const auto x = [&](double p) {
    const double t = (std::log10(magnitude_quantile(counts, p)) - range.low) / (range.high - range.low);
    return bar.x + std::clamp(t, 0.0, 1.0) * bar.width;
  };
  if (std::isnan(magnitude_quantile(counts, 0.5))) return;
  canvas->rectangle(x(0.05), bar.y, x(0.95) - x(0.05), bar.height, {tone, 0.3});
  canvas->rectangle(x(0.5) - 1.5, bar.y - 0.5, 3, bar.height + 1, {tone});
}

/// Per row: one run's first (grey) and last steps, or the last steps of both runs.
void draw_profile(const HistView& view, Canvas* canvas, const Box& box) {
  const LogRange& range = view.magnitudes;
  for (const int tick : draw_powers(canvas, range, box.x, box.x + box.width, box.y + box.height + 17)) {
    const double x = box.x + (tick - range.low) / (range.high - range.low) * box.width;
    canvas->line(x, box.y, x, box.y + box.height + 4, {Tone::Line});
  }
  const double pitch = row_pitch(view), half = (pitch - 4) / 2;
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
  const Box last = panel_boxes(view, width).back();
  return last.y + last.height + kAxis;
}

void draw_map(const HistView& view, Canvas* canvas) {
  const double top = draw_legend(view, canvas, canvas->width()), pitch = row_pitch(view);
  draw_color_bar(view, canvas, top);
  const std::vector<Box> boxes = panel_boxes(view, canvas->width());
  const size_t across = panels_across(view, canvas->width());
  for (size_t i = 0; i < boxes.size(); ++i) {
    const Box& box = boxes[i];
    const bool map = i < view.runs.size();
    if (i % across == 0) draw_names(view, canvas, box.x - 8, box.y + pitch / 2 + 4, pitch);
    const TextStyle style{
        .tone = map && view.runs.size() == 2 ? run_tone(i) : Tone::Ink, .size = kSmall, .bold = true};
    canvas->text(box.x, box.y - 7, map ? view.runs[i].label : profile_title(view), style);
    if (map) {
      draw_medians(view, view.runs[i], canvas, box);
    } else {
      draw_profile(view, canvas, box);
    }
  }
}

}  // namespace cpm
