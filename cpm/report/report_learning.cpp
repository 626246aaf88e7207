// Losses, gradients, speed: what the metrics say step by step.
#include <fmt/format.h>

#include <algorithm>

#include "cpm/report/chart.h"
#include "cpm/report/html.h"
#include "cpm/report/page.h"
#include "cpm/report/report_parts.h"
#include "cpm/report/speed.h"

namespace cpm {
namespace {

using Columns = std::map<std::string, std::vector<double>>;

constexpr int kSmallWidth = 360;

/// The curve of a column over "step", or over 1, 2, ... where there are no steps.
Curve column(const Columns& metrics, const std::string& name, bool log_y) {
  const auto found = metrics.find(name);
  if (found == metrics.end()) return {};
  const auto steps = metrics.find("step");
  if (steps != metrics.end()) return drawable(steps->second, found->second, log_y);
  std::vector<double> count(found->second.size());
  for (size_t i = 0; i < count.size(); ++i) count[i] = static_cast<double>(i + 1);
  return drawable(count, found->second, log_y);
}

/// Stages have colours s1 .. s6; the page knows no more.
std::string stage_class(size_t stage) {
  return fmt::format("s{}", stage % 6 + 1);
}

/// One line where all stages start alike (within 2 %), else one a stage; those that are alike share one.
std::vector<ChartLevel> plateau_levels(const std::vector<double>& plateau) {
  std::vector<ChartLevel> levels;
  double least = INFINITY, greatest = 0;
  for (size_t stage = 0; stage < plateau.size(); ++stage) {
    const double loss = plateau[stage];
    if (!std::isfinite(loss) || loss <= 0) continue;
    least = std::min(least, loss);
    greatest = std::max(greatest, loss);
    if (!levels.empty() && std::abs(levels.back().y - loss) <= 0.02 * loss) {
      levels.back().label = "later stages: learning nothing";
      levels.back().css = "none";
    } else {
      levels.push_back({fmt::format("stage {}: learning nothing", stage + 1), stage_class(stage), loss});
    }
  }
  if (levels.empty() || greatest > 1.02 * least) return levels;
  return {{"learning nothing", "none", std::sqrt(least * greatest)}};
}

Chart loss_chart(const ReportInput& input) {
  Chart chart;
  chart.name = "Loss of each stage by step, logarithmic";
  chart.scale = ChartScale::Log;
  for (size_t stage = 0; stage < stage_count(input); ++stage) {
    chart.series.push_back({fmt::format("Stage {}", stage + 1), stage_class(stage),
                            column(input.metrics, fmt::format("loss_stage{}", stage + 1), true)});
  }
  chart.levels = plateau_levels(input.dead_plateau);
  return chart;
}

std::string sized_loss_chart(const ReportInput& input, const PictureSize& size) {
  Chart chart = loss_chart(input);
  chart.width = size.width;
  chart.height = size.height;
  chart.end_values = size.width > 500;
  return chart_svg(chart);
}

/// A logarithmic axis only pays where values differ widely.
bool wide_range(const Curve& curve) {
  if (curve.empty()) return false;
  const auto [least, greatest] = std::minmax_element(curve.y.begin(), curve.y.end());
  return *least > 0 && *greatest > 8 * *least;
}

std::string small_chart(const ReportInput& input, const std::string& heading, const std::string& name) {
  Curve curve = column(input.metrics, name, false);
  Chart chart;
  chart.name = heading + " by step";
  chart.width = kSmallWidth;
  chart.smoothing = name != "lr";
  chart.scale = wide_range(curve) ? ChartScale::Log : ChartScale::Linear;
  chart.series.push_back({"", "one", std::move(curve)});
  return card(heading, chart_svg(chart));
}

/// How many losses could not be drawn, so that a run that broke down does not look sound.
std::string lost_note(const ReportInput& input) {
  const auto loss = input.metrics.find("loss");
  if (loss == input.metrics.end()) return "";
  const auto bad = std::count_if(loss->second.begin(), loss->second.end(),
                                 [](double value) { return !std::isfinite(value); });
  if (bad == 0) return "";
  return fmt::format(
      " <strong>{} of {} steps had a loss that is no finite number; they are left out.</strong>", bad,
      loss->second.size());
}

std::string charts(const std::string& cards) {
  return cards.empty() ? "" : "<div class=\"charts\">\n" + cards + "</div>\n";
}

std::string speed_chart(const std::string& heading, ChartScale scale, Curve curve) {
  Chart chart;
  chart.name = heading + " by step";
  chart.width = 420;
  chart.smoothing = false;
  chart.scale = scale;
  chart.whole = scale == ChartScale::Percent;
  chart.series.push_back({"", "one", std::move(curve)});
  return card(heading, chart_svg(chart));
}

}  // namespace

std::string learning_section(const ReportInput& input) {
  const std::string sizes =
      sized_pictures([&](const PictureSize& size) { return sized_loss_chart(input, size); });
  std::string note = "Every stage answers the same question and sees the answer of the one before.";
  if (!sizes.empty() && !plateau_levels(input.dead_plateau).empty()) {
    note += " The dashed line is the loss of learning nothing: a stage that stays there is dead.";
  }
  return section("Learning", note + lost_note(input),
                 card("Loss by stage", sizes) + charts(small_chart(input, "Total loss", "loss") +
                                                       small_chart(input, "Gradient norm", "grad_norm") +
                                                       small_chart(input, "Learning rate", "lr")),
                 "learning");
}

std::string gradients_section(const ReportInput& input) {
  if (!input.gradients) return "";
  const std::string pictures = sized_pictures([&](const PictureSize& size) {
    SvgCanvas canvas(size.width, median_map_height(*input.gradients),
                     "Median gradient magnitude by depth and step", SvgColors::ByTheme);
    draw_median_map(*input.gradients, &canvas);
    return canvas.svg();
  });
  return section("Gradients by depth",
                 "Rows are layers, the image above, the output below; a colour is the median size of the "
                 "gradient of a layer’s weights. Zeros are left out; grey is a layer without any gradient. "
                 "<code>cpm-hist show</code> draws the whole distributions of this run.",
                 card("", "<div class=\"whole\">" + pictures + "</div>\n"), "gradients");
}

std::string speed_section(const ReportInput& input) {
  const Speed speed = speed_of(input.metrics);
  const std::string cards =
      speed_chart("Images a second", ChartScale::Linear, speed.images_per_second) +
      speed_chart("Share of the time waiting for data", ChartScale::Percent, speed.wait_share);
  return section("Speed",
                 "Images a second are those of the middle step of each eightieth of the run, so pauses for "
                 "validation do not count. Waiting is the time for which no batch was ready: more "
                 "<code>data.loader_threads</code> shorten it.",
                 cards.empty() ? "" : "<div class=\"pair\">\n" + cards + "</div>\n", "speed");
}

std::string loss_chart_svg(const ReportInput& input) {
  return sized_loss_chart(input, kPictureSizes[0]);
}

}  // namespace cpm
