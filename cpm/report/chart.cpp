// A chart is laid out from the outside in: tick labels set the left margin, line-end labels the right one,
// the legend the top. Widths of text are estimated (fonts are the reader's), generously.
#include "cpm/report/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "cpm/report/canvas.h"
#include "cpm/report/html.h"

namespace cpm {
namespace {

constexpr size_t kSmoothFrom = 200;  // points
constexpr size_t kMostPoints = 800;  // of a line
constexpr double kLabelGap = 15;     // between line-end labels

struct Frame {
  double left, top, right, bottom;
  ChartAxis x, y;

  double px(double value) const { return left + x.at(value) * (right - left); }
  double py(double value) const { return bottom - y.at(value) * (bottom - top); }
};

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -low;

  void add(const std::vector<double>& values) {
    for (const double value : values) {
      low = std::min(low, value);
      high = std::max(high, value);
    }
  }
};

bool smoothed(const Chart& chart, const Curve& curve) {
  return chart.smoothing && curve.size() > kSmoothFrom;
}

bool smoothed(const Chart& chart) {
  return std::any_of(chart.series.begin(), chart.series.end(),
                     [&](const ChartSeries& series) { return smoothed(chart, series.curve); });
}

/// Where the line of a series ends.
double last_shown(const Chart& chart, const Curve& curve) {
  return smoothed(chart, curve) ? smooth(curve).y.back() : curve.y.back();
}

std::string value_text(const Chart& chart, double value) {
  if (chart.scale == ChartScale::Percent) return fmt::format("{:.1f} %", 100 * value);
  return short_number(value);
}

std::string tick_text(const Chart& chart, const ChartAxis& axis, double tick) {
  if (chart.scale == ChartScale::Percent) return fmt::format("{:.3g} %", 100 * tick);
  return axis.label(tick);
}

std::string end_text(const Chart& chart, const ChartSeries& series) {
  if (!chart.end_values) return series.label;
  const double last = last_shown(chart, series.curve);
  return series.label.empty() ? value_text(chart, last) : series.label + "  " + value_text(chart, last);
}

ChartAxis value_axis(const Chart& chart, int count) {
  Range range;
  for (const ChartSeries& series : chart.series) range.add(series.curve.y);
  for (const ChartLevel& level : chart.levels) range.add({level.y});
  if (chart.whole) range.add({0, 1});
  if (chart.scale == ChartScale::Log) return log_axis(range.low, range.high, count);
  ChartAxis axis = linear_axis(range.low, range.high, count);
  // Nothing is righter than 100 %.
  if (chart.scale == ChartScale::Percent && axis.high > 1) {
    axis.high = 1;
    std::erase_if(axis.ticks, [](double tick) { return tick > 1 + 1e-9; });
  }
  return axis;
}

Frame layout(const Chart& chart) {
  Range steps;
  double ends = 0, ticks = 0;
  for (const ChartSeries& series : chart.series) {
    steps.add(series.curve.x);
    if (!series.curve.empty()) ends = std::max(ends, text_width(end_text(chart, series)));
  }
  Frame frame;
  const bool legend = smoothed(chart);
  frame.top = legend ? 30 : 12;
  frame.bottom = chart.height - 40;
  frame.y = value_axis(chart, static_cast<int>((frame.bottom - frame.top) / 42));
  for (const double tick : frame.y.ticks)
    ticks = std::max(ticks, text_width(tick_text(chart, frame.y, tick)));
  frame.left = ticks + 10;
  frame.right = chart.width - ends - (ends > 0 ? 22 : 14);
  frame.x = step_axis(steps.low, steps.high, static_cast<int>((frame.right - frame.left) / 62));
  return frame;
}

std::string text(double x, double y, const std::string& css, const std::string& content) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" class=\"{}\">{}</text>\n", x, y, css,
                     escape_html(content));
}

std::string line(double x0, double y0, double x1, double y1, const std::string& css) {
  return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" class=\"{}\"/>\n", x0, y0,
                     x1, y1, css);
}

std::string grid(const Chart& chart, const Frame& frame) {
  std::string svg;
  for (const double tick : frame.y.ticks) {
    const double y = frame.py(tick);
    svg += line(frame.left, y, frame.right, y, "grid");
    svg += text(frame.left - 8, y + 4, "tick end", tick_text(chart, frame.y, tick));
  }
  for (const double tick : frame.x.ticks) {
    const double x = frame.px(tick);
    svg += line(x, frame.bottom, x, frame.bottom + 4, "axis");
    svg += text(x, frame.bottom + 17, "tick mid", frame.x.label(tick));
  }
  svg += line(frame.left, frame.bottom, frame.right, frame.bottom, "axis");
  return svg + text(frame.right, frame.bottom + 33, "tick end", chart.x_title);
}

std::string polyline(const Frame& frame, const Curve& curve, const std::string& css) {
  std::string points;
  for (size_t i = 0; i < curve.size(); ++i) {
    points += fmt::format("{}{:.1f},{:.1f}", i == 0 ? "" : " ", frame.px(curve.x[i]), frame.py(curve.y[i]));
  }
  return fmt::format("<polyline class=\"{}\" points=\"{}\"/>\n", css, points);
}

/// All pale lines lie below all smoothed ones.
std::string curves(const Chart& chart, const Frame& frame) {
  std::string pale, clear;
  // More points than there is width for would only blacken the pale lines, the sooner the more there are.
  const double dense = (frame.right - frame.left) * (chart.series.size() > 1 ? 1 : 2);
  const size_t limit = std::clamp<size_t>(static_cast<size_t>(dense), 2, kMostPoints);
  for (const ChartSeries& series : chart.series) {
    const Curve& curve = series.curve;
    if (smoothed(chart, curve)) {
      pale +=
          polyline(frame, thin(curve, limit), (chart.series.size() > 1 ? "raw many " : "raw ") + series.css);
      clear += polyline(frame, thin(smooth(curve), limit), "curve " + series.css);
    } else if (!curve.empty()) {
      clear += polyline(frame, thin(curve, limit), "curve " + series.css);
    }
    for (size_t i = 0; i < curve.size() && (curve.size() == 1 || (chart.markers && curve.size() <= 40));
         ++i) {
      clear += fmt::format(
          "<circle class=\"dot {}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"><title>{}</title></circle>\n",
          series.css, frame.px(curve.x[i]), frame.py(curve.y[i]),
          escape_html(
              fmt::format("{} {:.0f}: {}", chart.x_title, curve.x[i], value_text(chart, curve.y[i]))));
    }
  }
  return pale + clear;
}

std::string end_labels(const Chart& chart, const Frame& frame) {
  std::vector<double> wishes;
  std::vector<const ChartSeries*> labelled;
  for (const ChartSeries& series : chart.series) {
    if (series.curve.empty() || end_text(chart, series).empty()) continue;
    wishes.push_back(frame.py(last_shown(chart, series.curve)));
    labelled.push_back(&series);
  }
  const std::vector<double> placed = spread(wishes, kLabelGap, frame.top, frame.bottom);
  std::string svg;
  for (size_t i = 0; i < labelled.size(); ++i) {
    const double from = frame.px(labelled[i]->curve.x.back());
    svg += line(from + 3, wishes[i], frame.right + 12, placed[i], "leader " + labelled[i]->css);
    svg += text(frame.right + 15, placed[i] + 4, "label " + labelled[i]->css, end_text(chart, *labelled[i]));
  }
  return svg;
}

std::string levels(const Chart& chart, const Frame& frame) {
  std::string svg;
  std::vector<double> wishes;
  for (const ChartLevel& level : chart.levels) {
    const double y = frame.py(level.y);
    svg += line(frame.left, y, frame.right, y, "level " + level.css);
    wishes.push_back(y - 6);
  }
  const std::vector<double> placed = spread(wishes, kLabelGap, frame.top, frame.bottom);
  for (size_t i = 0; i < placed.size(); ++i) {
    svg += text(frame.right - 4, placed[i], "halo end " + chart.levels[i].css, chart.levels[i].label);
  }
  return svg;
}

std::string legend(const Chart& chart, const Frame& frame) {
  if (!smoothed(chart)) return "";
  double x = frame.left;
  std::string svg;
  const auto entry = [&](const std::string& css, const std::string& content) {
    svg += line(x, 11, x + 20, 11, css) + text(x + 26, 15, "tick", content);
    x += 26 + text_width(content) + 18;
  };
  entry("curve key", "smoothed");
  entry("raw key", "each step");
  return svg;
}

}  // namespace

std::string chart_svg(const Chart& chart) {
  if (std::all_of(chart.series.begin(), chart.series.end(),
                  [](const ChartSeries& series) { return series.curve.empty(); })) {
    return "";
  }
  const Frame frame = layout(chart);
  return fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n", chart.width,
                     chart.height, escape_html(chart.name)) +
         grid(chart, frame) + curves(chart, frame) + levels(chart, frame) + legend(chart, frame) +
         end_labels(chart, frame) + "</svg>\n";
}

}  // namespace cpm
