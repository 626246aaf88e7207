// The page from top to bottom: what came out (facts), how it was learned (curves), how good it is (joints),
// what it looks like (people, belief maps), and how to repeat it (settings, environment, plan). A part
// without data is left out.
#include "cpm/report/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cpm/report/chart.h"
#include "cpm/report/color_map.h"
#include "cpm/report/html.h"
#include "cpm/report/page.h"
#include "cpm/report/theme.h"

namespace cpm {
namespace {

using Columns = std::map<std::string, std::vector<double>>;

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

/// One line where all stages start alike (within 2 %), else one a stage.
std::vector<ChartLevel> plateau_levels(const std::vector<double>& plateau) {
  std::vector<ChartLevel> levels;
  double least = INFINITY, greatest = 0;
  for (size_t stage = 0; stage < plateau.size(); ++stage) {
    const double loss = plateau[stage];
    if (!std::isfinite(loss) || loss <= 0) continue;
    least = std::min(least, loss);
    greatest = std::max(greatest, loss);
    levels.push_back({fmt::format("stage {}: learning nothing", stage + 1), stage_class(stage), loss});
  }
  if (levels.empty() || greatest > 1.02 * least) return levels;
  return {{"learning nothing", "none", std::sqrt(least * greatest)}};
}

Chart loss_chart(const ReportInput& input) {
  Chart chart;
  chart.name = "Loss of each stage by step, logarithmic";
  chart.scale = ChartScale::Log;
  for (size_t stage = 0; input.metrics.count(fmt::format("loss_stage{}", stage + 1)) > 0; ++stage) {
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

std::string learning(const ReportInput& input) {
  const std::string sizes =
      sized_pictures([&](const PictureSize& size) { return sized_loss_chart(input, size); });
  std::string content = card("Loss by stage", sizes);
  const std::string small = small_chart(input, "Total loss", "loss") +
                            small_chart(input, "Gradient norm", "grad_norm") +
                            small_chart(input, "Learning rate", "lr");
  if (!small.empty()) content += "<div class=\"charts\">\n" + small + "</div>\n";
  std::string note = "Every stage answers the same question and sees the answer of the one before.";
  if (!sizes.empty() && !plateau_levels(input.dead_plateau).empty()) {
    note += " The dashed line is the loss of learning nothing: a stage that stays there is dead.";
  }
  return section("Learning", note + lost_note(input), content);
}

std::string pck_chart(const ReportInput& input) {
  std::vector<double> steps, values;
  for (const auto& [step, value] : input.validation) {
    steps.push_back(static_cast<double>(step));
    values.push_back(value);
  }
  Chart chart;
  chart.name = "Validation PCK at 0.2 by step";
  chart.width = 380;
  chart.height = 280;
  chart.scale = ChartScale::Percent;
  chart.markers = true;
  chart.series.push_back({"", "one", drawable(steps, values, false)});
  return card("Mean over joints, by step", chart_svg(chart));
}

/// "right_ankle" as people write it.
std::string joint_name(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

std::string side_class(const std::string& joint) {
  if (joint.find("right") != std::string::npos) return "right";
  return joint.find("left") != std::string::npos ? "left" : "middle";
}

constexpr const char* kSideKeys =
    "<span><i class=\"right\"></i>right side</span><span><i class=\"left\"></i>left side</span>"
    "<span><i class=\"middle\"></i>middle</span>";

/// Best first; joints that were never labelled come last, without a bar.
std::string joint_bars(const ReportInput& input) {
  if (input.validation_by_joint.empty()) return "";
  auto joints = input.validation_by_joint;
  const auto rank = [](double value) { return std::isfinite(value) ? value : -1.0; };
  std::stable_sort(joints.begin(), joints.end(),
                   [&](const auto& a, const auto& b) { return rank(a.second) > rank(b.second); });
  bool sides = false;
  std::string rows;
  for (const auto& [name, value] : joints) {
    const bool known = std::isfinite(value);
    sides = sides || side_class(name) != "middle";
    rows += fmt::format("<span>{}</span><i><b class=\"{}\" style=\"width:{:.1f}%\"></b></i><em>{}</em>\n",
                        escape_html(joint_name(name)), side_class(name),
                        known ? 100 * std::clamp(value, 0.0, 1.0) : 0.0,
                        known ? fmt::format("{:.1f} %", 100 * value) : "no label");
  }
  const std::string keys = sides ? fmt::format("<p class=\"keys\">{}</p>\n", kSideKeys) : "";
  return card("By joint, at the end", keys + "<div class=\"bars\">\n" + rows + "</div>\n");
}

std::string accuracy(const ReportInput& input) {
  const std::string content = pck_chart(input) + joint_bars(input);
  if (content.empty()) return "";
  return section(
      "Validation accuracy",
      "PCK@0.2: the part of the joints found within a fifth of the person&#39;s torso, measured from left "
      "shoulder to right hip.",
      "<div class=\"pair\">\n" + content + "</div>\n");
}

/// Pictures of one row are equally high: each grows by its aspect ratio.
std::string gallery(const std::vector<ReportPicture>& pictures, const std::string& css) {
  std::string figures;
  for (const ReportPicture& picture : pictures) {
    const Image& image = picture.image;
    if (image.width <= 0 || image.height <= 0) continue;
    const double ratio = static_cast<double>(image.width) / image.height;
    const std::string caption = escape_html(picture.caption);
    figures += fmt::format(
        "<figure style=\"--r:{:.3f}\"><img alt=\"{}\" width=\"{}\" height=\"{}\" "
        "src=\"data:image/png;base64,{}\">",
        ratio, caption, image.width, image.height, base64(encode_png(image)));
    if (!caption.empty()) figures += fmt::format("<figcaption>{}</figcaption>", caption);
    figures += "</figure>\n";
  }
  return figures.empty() ? "" : "<div class=\"" + css + "\">\n" + figures + "</div>\n";
}

std::string people(const ReportInput& input) {
  const std::string pictures = gallery(input.overlays, "gallery");
  if (pictures.empty()) return "";
  return section(
      "What it sees",
      "Found joints in colour over the annotated ones in white; sides are the person&#39;s own.",
      fmt::format("<p class=\"keys\">{}<span><i class=\"truth\"></i>annotation</span></p>\n", kSideKeys) +
          pictures);
}

std::string belief_ramp() {
  std::string stops;
  for (int i = 0; i <= 16; ++i) {
    const Color color = belief_color(i / 16.0);
    stops += "," + color_text(color);
  }
  return fmt::format(
      "<p class=\"keys\"><span>low<i class=\"ramp\" style=\"background:linear-gradient(90deg{})\"></i>"
      "high</span></p>\n",
      stops);
}

std::string beliefs(const ReportInput& input) {
  const std::string pictures = gallery(input.beliefs, "gallery large");
  if (pictures.empty()) return "";
  return section(
      "Belief, stage by stage",
      "Where each stage believes the joints to be. Later stages see more of the person and settle what "
      "the first one leaves open.",
      belief_ramp() + pictures);
}

std::string repeating(const ReportInput& input) {
  std::string content;
  const auto preformatted = [](const std::string& text) { return "<pre>" + escape_html(text) + "</pre>"; };
  if (!input.settings_toml.empty()) content += folded("Settings", preformatted(input.settings_toml));
  if (!input.environment.empty()) {
    std::string rows;
    for (const auto& [what, value] : input.environment) {
      rows += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", escape_html(what),
                          escape_html(value));
    }
    content += folded("Environment", "<table>\n" + rows + "</table>");
  }
  if (!input.plan.empty()) content += folded("Convolution plan", preformatted(input.plan));
  return section("To repeat it", "What this run was given, where it ran and how it computed.", content);
}

}  // namespace

std::string loss_chart_svg(const ReportInput& input) {
  return sized_loss_chart(input, kPictureSizes[0]);
}

std::string report_html(const ReportInput& input) {
  return page(input.title, page_header(input.title, input.summary, input.facts) + learning(input) +
                               accuracy(input) + people(input) + beliefs(input) + repeating(input));
}

}  // namespace cpm
