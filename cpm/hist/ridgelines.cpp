// A ridge's height is the share of the tensor's elements in a bin over the bin's width (two an octave, of
// 0.585 and 0.415 octaves), on one scale for the whole picture. Zeros have no place on a logarithmic axis:
// they are a bar at the panel's left edge, a row high where all elements are zero.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cpm/hist/pictures.h"
#include "cpm/report/series.h"

namespace cpm {
namespace {

constexpr double kPanelGap = 14, kBar = 4, kBarGap = 3, kTitle = 20, kAxis = 38;
constexpr double kRise = 1.8;        // rows that the highest ridge takes
constexpr double kUsualPeak = 0.95;  // quantile of the ridges' peaks that is the highest drawn
constexpr double kHeadroom = 1.15;   // of kRise, for higher ones than usual; what goes beyond is cut
constexpr double kVisibleZeros = 0.005;

double row_pitch(const HistView& view) {
  return view.runs[0].tensors.size() > 30 ? 18 : 23;
}

/// First, last and what fits between.
std::vector<size_t> shown_slices(const HistView& view, double width) {
  const size_t all = view.slices.size(), count = std::min<size_t>(all, width >= 900   ? 5
                                                                       : width >= 500 ? 3
                                                                                      : 2);
  std::vector<size_t> shown;
  for (size_t i = 0; i < count; ++i) shown.push_back(count == 1 ? 0 : i * (all - 1) / (count - 1));
  return shown;
}

/// Shares of the elements an octave, bin by bin.
std::array<double, kGradBins> densities(const HistCounts& counts) {
  auto shares = magnitude_shares(counts);
  for (int b = 0; b < kGradBins; ++b)
    shares[b] /= std::log2(kernels::log_bin_edge(b + 1) / kernels::log_bin_edge(b));
  return shares;
}

/// The density that reaches kRise rows.
double highest_density(const HistView& view) {
  std::vector<double> peaks;
  for (const HistRun& run : view.runs) {
    for (const HistTensor& tensor : run.tensors) {
      for (const HistCounts& slice : tensor.slices) {
        const auto heights = densities(slice);
        peaks.push_back(*std::max_element(heights.begin(), heights.end()));
      }
    }
  }
  std::sort(peaks.begin(), peaks.end());
  const double peak = peaks[static_cast<size_t>(kUsualPeak * static_cast<double>(peaks.size() - 1))];
  return peak > 0 ? peak : std::max(peaks.back(), 1e-9);
}

bool zeros_shown(const HistView& view) {
  for (const HistRun& run : view.runs) {
    for (const HistTensor& tensor : run.tensors) {
      if (zero_share(tensor.all) > kVisibleZeros) return true;
    }
  }
  return false;
}

struct Panel {
  double left, right;
  LogRange range;

  double x(double exponent) const {
    return left + (exponent - range.low) / (range.high - range.low) * (right - left);
  }
};

/// The outline of a ridge on its base line, from the panel's left to its right edge.
std::vector<Point> ridge(const HistCounts& counts, const Panel& panel, double base, double rise_of_density,
                         double most) {
  const auto heights = densities(counts);
  std::vector<Point> points;
  for (int b = 0; b < kGradBins; ++b) {
    const double middle =
        (std::log10(kernels::log_bin_edge(b)) + std::log10(kernels::log_bin_edge(b + 1))) / 2;
    if (middle < panel.range.low || middle > panel.range.high) continue;
    points.push_back({panel.x(middle), base - std::min(most, heights[b] * rise_of_density)});
  }
  return points;
}

void draw_ridge(Canvas* canvas, std::vector<Point> points, double base, Tone tone) {
  if (points.size() < 2) return;
  // Where there is nothing the line would only underline the row: it is drawn from the first to the last
  // rise.
  const auto flat = [&](const Point& point) { return base - point.y < 0.05; };
  const auto first = std::find_if_not(points.begin(), points.end(), flat);
  if (first == points.end()) return;
  const auto last = std::find_if_not(points.rbegin(), points.rend(), flat).base();
  std::vector<Point> shape(first == points.begin() ? first : first - 1,
                           last == points.end() ? last : last + 1);
  std::vector<Point> area = shape;
  area.push_back({shape.back().x, base});
  area.push_back({shape.front().x, base});
  canvas->polygon(area, {tone, 0.22});
  canvas->polyline(shape, {tone}, 1.4);
}

void draw_panel(const HistView& view, Canvas* canvas, const Panel& panel, size_t slice, double top,
                double peak) {
  const double pitch = row_pitch(view), rise = kRise * pitch;
  const size_t rows = view.runs[0].tensors.size();
  const double bottom = top + kTitle + kHeadroom * rise + static_cast<double>(rows - 1) * pitch;
  for (const int tick : draw_powers(canvas, panel.range, panel.left, panel.right, bottom + 18)) {
    canvas->line(panel.x(tick), top + kTitle, panel.x(tick), bottom + 4, {Tone::Line});
  }
  canvas->text(panel.left, top + 11,
               fmt::format("steps {}–{}", view.slices[slice].first, view.slices[slice].last),
               {.tone = Tone::Ink, .size = kSmall, .bold = true});
  for (size_t row = 0; row < rows; ++row) {
    const double base = top + kTitle + kHeadroom * rise + static_cast<double>(row) * pitch;
    canvas->line(panel.left, base, panel.right, base, {Tone::Line});
    for (size_t r = 0; r < view.runs.size(); ++r) {
      const HistCounts& counts = view.runs[r].tensors[row].slices[slice];
      draw_ridge(canvas, ridge(counts, panel, base, rise / peak, kHeadroom * rise), base, run_tone(r));
      const double zeros = zero_share(counts) * (pitch - 3);
      const double each = kBar / static_cast<double>(view.runs.size());
      if (zeros > 0) {
        canvas->rectangle(panel.left - kBar - kBarGap + each * static_cast<double>(r), base - zeros, each,
                          zeros, {run_tone(r), 0.7});
      }
    }
  }
}

}  // namespace

double ridgelines_height(const HistView& view, double width) {
  const double pitch = row_pitch(view);
  return draw_legend(view, nullptr, width) + kTitle + kHeadroom * kRise * pitch +
         static_cast<double>(view.runs[0].tensors.size() - 1) * pitch + kAxis;
}

void draw_ridgelines(const HistView& view, Canvas* canvas) {
  const double top = draw_legend(view, canvas, canvas->width()), pitch = row_pitch(view);
  const double names = names_width(layer_names(view)), bar = zeros_shown(view) ? kBar + kBarGap : 0;
  const std::vector<size_t> slices = shown_slices(view, canvas->width());
  const double step = (canvas->width() - names - 8 + kPanelGap) / static_cast<double>(slices.size());
  draw_names(layer_names(view), canvas, names - 8, top + kTitle + kHeadroom * kRise * pitch, pitch);
  const double peak = highest_density(view);
  for (size_t i = 0; i < slices.size(); ++i) {
    const double left = names + static_cast<double>(i) * step;
    draw_panel(view, canvas, {left + bar, left + step - kPanelGap, view.magnitudes}, slices[i], top, peak);
  }
  canvas->text(canvas->width() - 8, canvas->height() - 4, "size of the gradient |g|",
               {.anchor = Anchor::End, .size = kSmall});
}

}  // namespace cpm
