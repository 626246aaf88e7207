#include "cpm/hist/pictures.h"

#include <algorithm>
#include <cmath>

#include "cpm/report/series.h"

namespace cpm {
namespace {

constexpr double kLegendLine = 18;
constexpr double kPowerRoom = 47;  // for a power of ten

}  // namespace

Tone run_tone(size_t run) {
  return run == 0 ? Tone::S1 : Tone::S2;
}

double draw_legend(const HistView& view, Canvas* canvas, double width) {
  if (view.runs.size() < 2) return 0;
  double x = 0, y = 11;
  for (size_t r = 0; r < view.runs.size(); ++r) {
    const double needed = 22 + text_width(view.runs[r].label);
    if (x > 0 && x + needed > width) {
      x = 0;
      y += kLegendLine;
    }
    if (canvas != nullptr) {
      canvas->rectangle(x, y - 9, 16, 9, {run_tone(r), 0.35});
      canvas->line(x, y - 9, x + 16, y - 9, {run_tone(r)}, 2);
      canvas->text(x + 22, y, view.runs[r].label, {.tone = Tone::Ink});
    }
    x += needed + 22;
  }
  return y + 11;
}

std::vector<std::string> layer_names(const HistView& view) {
  std::vector<std::string> names;
  for (const HistTensor& tensor : view.runs[0].tensors) names.push_back(tensor.tensor.layer);
  return names;
}

double names_width(const std::vector<std::string>& names) {
  double width = 0;
  for (const std::string& name : names) width = std::max(width, text_width(name, kSmall));
  return width + 8;
}

std::string range_text(const HistView& view) {
  return ChartAxis{}.label(view.signed_axis.range);
}

std::vector<int> draw_powers(Canvas* canvas, const LogRange& range, double left, double right, double y) {
  const double decades = range.high - range.low;
  const int stride = std::max(1, static_cast<int>(std::ceil(decades * kPowerRoom / (right - left))));
  std::vector<int> ticks;
  for (int e = static_cast<int>(std::ceil(range.low)); e <= range.high; ++e) {
    if (e % stride != 0) continue;
    const double x = left + (e - range.low) / decades * (right - left);
    const Anchor anchor = x - left < kPowerRoom / 3    ? Anchor::Start
                          : right - x < kPowerRoom / 3 ? Anchor::End
                                                       : Anchor::Middle;
    canvas->text(x, y, power_of_ten(e), {.anchor = anchor, .size = kSmall});
    ticks.push_back(e);
  }
  return ticks;
}

void draw_names(const std::vector<std::string>& names, Canvas* canvas, double x, double y, double pitch) {
  for (const std::string& name : names) {
    canvas->text(x, y, name, {.tone = Tone::Soft, .anchor = Anchor::End, .size = kSmall});
    y += pitch;
  }
}

}  // namespace cpm
