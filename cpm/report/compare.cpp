#include "cpm/report/compare.h"

#include <fmt/format.h>

#include <algorithm>

#include "cpm/report/chart.h"
#include "cpm/report/html.h"
#include "cpm/report/page.h"

namespace cpm {
namespace {

Curve curve_of(const std::vector<std::pair<int64_t, double>>& points) {
  std::vector<double> x, y;
  for (const auto& [at, value] : points) {
    x.push_back(static_cast<double>(at));
    y.push_back(value);
  }
  return drawable(x, y, false);
}

Chart pck_chart(const std::string& name, const PictureSize& size) {
  Chart chart;
  chart.name = name;
  chart.width = size.width;
  chart.height = size.height;
  chart.scale = ChartScale::Percent;
  chart.smoothing = false;
  chart.markers = true;
  return chart;
}

std::string steps_chart(const Comparison& comparison, const PictureSize& size) {
  Chart chart = pck_chart("Validation PCK at 0.2 by step, a line a run", size);
  for (size_t i = 0; i < comparison.runs.size(); ++i) {
    const ComparedRun& run = comparison.runs[i];
    chart.series.push_back({run.label, fmt::format("s{}", i % kMostLines + 1), curve_of(run.validation)});
  }
  return chart_svg(chart);
}

std::string stages_chart(const Comparison& comparison, const PictureSize& size) {
  std::vector<std::pair<int64_t, double>> points;
  for (const ComparedRun& run : comparison.by_stages)
    points.emplace_back(run.stages, run.validation.back().second);
  std::sort(points.begin(), points.end());
  Chart chart = pck_chart("Validation PCK at 0.2 by number of stages", size);
  chart.x_title = "stages";
  chart.series.push_back({"", "one", curve_of(points)});
  return chart_svg(chart);
}

/// A picture of the page becomes a file: with the page's style sheet and a ground.
std::string file_of(const std::string& svg) {
  if (svg.empty()) return "";
  const size_t tag_end = svg.find('>') + 1;
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"" +
         svg.substr(4, tag_end - 4) + "\n<style><![CDATA[" + page_style() +
         "svg{font-family:Helvetica,Arial,'DejaVu Sans',sans-serif}]]></style>\n<rect width=\"100%\" "
         "height=\"100%\" style=\"fill:var(--card)\"/>" +
         svg.substr(tag_end);
}

}  // namespace

std::string comparison_html(const Comparison& comparison) {
  const std::string steps =
      sized_pictures([&](const PictureSize& size) { return steps_chart(comparison, size); });
  const std::string stages =
      sized_pictures([&](const PictureSize& size) { return stages_chart(comparison, size); });
  const std::string measure =
      "PCK@0.2 on the validation data: the part of the joints found within a fifth of the person&#39;s "
      "torso.";
  std::vector<std::string> labels;
  for (const ComparedRun& run : comparison.runs) labels.push_back(run.label);
  return page("Runs compared", page_header("Runs compared", fmt::format("{}.", fmt::join(labels, ", ")), {}) +
                                   section("Accuracy as training goes on", measure, card("", steps)) +
                                   section("Accuracy by number of stages",
                                           measure + " A point a run, at its end.", card("", stages)));
}

std::string steps_chart_file(const Comparison& comparison) {
  return file_of(steps_chart(comparison, kPictureSizes[1]));
}

std::string stages_chart_file(const Comparison& comparison) {
  return comparison.by_stages.empty() ? "" : file_of(stages_chart(comparison, kPictureSizes[1]));
}

}  // namespace cpm
