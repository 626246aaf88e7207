// How good it is: over the validations, at every threshold, joint by joint.
#include <fmt/format.h>

#include <algorithm>

#include "cpm/report/chart.h"
#include "cpm/report/html.h"
#include "cpm/report/page.h"
#include "cpm/report/report_parts.h"

namespace cpm {
namespace {

Chart percent_chart(const std::string& name, int width, int height) {
  Chart chart;
  chart.name = name;
  chart.width = width;
  chart.height = height;
  chart.scale = ChartScale::Percent;
  chart.smoothing = false;
  return chart;
}

std::string pck_chart(const ReportInput& input) {
  std::vector<double> steps, values;
  for (const Validation& validation : input.validations) {
    steps.push_back(static_cast<double>(validation.step));
    values.push_back(validation.mean);
  }
  Chart chart = percent_chart("Validation PCK at 0.2 by step", 420, 240);
  chart.markers = true;
  chart.series.push_back({"", "one", drawable(steps, values, false)});
  if (input.mean_pose) chart.levels.push_back({"mean pose", "none", *input.mean_pose});
  return card("Mean over joints, by step", chart_svg(chart));
}

std::string threshold_chart(const ReportInput& input) {
  std::vector<double> allowed, values;
  for (const auto& [threshold, value] : input.pck_curve) {
    allowed.push_back(100 * threshold);
    values.push_back(value);
  }
  if (allowed.size() < 2) return "";
  Chart chart = percent_chart("PCK by the distance allowed", 420, 240);
  chart.whole = true;
  chart.x_title = "distance allowed, % of the torso";
  chart.end_values = false;
  chart.series.push_back({"", "one", drawable(allowed, values, false)});
  if (!input.validations.empty())  // where PCK@0.2 lies on the curve
    chart.series.push_back({"", "one", drawable({20}, {input.validations.back().mean}, false)});
  return card("At the end, by the distance allowed", chart_svg(chart));
}

std::string bar(const std::string& css, double share) {
  if (!(share > 0)) return "";
  return fmt::format("<b class=\"{}\" style=\"width:{:.1f}%\"></b>", css, 100 * std::min(share, 1.0));
}

/// Found, nearly found and on the wrong side of one joint, and in words on hovering.
std::string outcome_bars(const std::string& side, double found, const JointOutcomes* outcomes) {
  if (outcomes == nullptr || outcomes->all() == 0) return "<i>" + bar(side, found) + "</i>";
  const auto all = static_cast<double>(outcomes->all());
  return fmt::format("<i title=\"{} found, {} nearly, {} on the other side’s, {} elsewhere\">{}{}{}</i>",
                     outcomes->found, outcomes->near, outcomes->twin, outcomes->elsewhere, bar(side, found),
                     bar(side + " near", static_cast<double>(outcomes->near) / all),
                     bar("twin", static_cast<double>(outcomes->twin) / all));
}

struct JointRow {
  std::string name;
  double found = NAN;
  const JointOutcomes* outcomes = nullptr;
};

/// Best first; joints that were never labelled come last, without a bar.
std::vector<JointRow> joint_rows(const ReportInput& input) {
  std::vector<JointRow> rows;
  const auto& joints = input.validations.back().by_joint;
  for (size_t j = 0; j < joints.size(); ++j) {
    const bool known = input.outcomes.size() == joints.size();
    rows.push_back({joints[j].first, joints[j].second, known ? &input.outcomes[j] : nullptr});
  }
  const auto rank = [](double value) { return std::isfinite(value) ? value : -1.0; };
  std::stable_sort(rows.begin(), rows.end(),
                   [&](const JointRow& a, const JointRow& b) { return rank(a.found) > rank(b.found); });
  return rows;
}

std::string joint_bars(const ReportInput& input) {
  if (input.validations.empty() || input.validations.back().by_joint.empty()) return "";
  bool sides = false, mistakes = false;
  std::string rows;
  for (const JointRow& joint : joint_rows(input)) {
    const bool known = std::isfinite(joint.found);
    const std::string side = side_class(joint.name);
    sides = sides || side != "middle";
    mistakes = mistakes || joint.outcomes != nullptr;
    rows += fmt::format("<span>{}</span>{}<em>{}</em>\n", escape_html(joint_name(joint.name)),
                        known ? outcome_bars(side, joint.found, joint.outcomes) : "<i></i>",
                        known ? fmt::format("{:.1f} %", 100 * joint.found) : "no label");
  }
  std::string keys = sides ? kSideKeys : "";
  if (mistakes) keys += "<span><i class=\"none near\"></i>nearly</span>";
  if (mistakes && sides) keys += "<span><i class=\"twin\"></i>on the other side’s joint</span>";
  if (!keys.empty()) keys = "<p class=\"keys\">" + keys + "</p>\n";
  return card("By joint, at the end", keys + "<div class=\"bars\">\n" + rows + "</div>\n");
}

/// "right_ankle" and "left_ankle" share the panel "ankle".
std::string panel_name(const std::string& joint) {
  for (const std::string side : {"right_", "left_"}) {
    if (joint.rfind(side, 0) == 0) return joint.substr(side.size());
  }
  return joint;
}

Curve joint_curve(const std::vector<Validation>& validations, const std::string& joint) {
  std::vector<double> steps, values;
  for (const Validation& validation : validations) {
    for (const auto& [name, value] : validation.by_joint) {
      if (name != joint) continue;
      steps.push_back(static_cast<double>(validation.step));
      values.push_back(value);
    }
  }
  return drawable(steps, values, false);
}

/// A panel a kind of joint, both sides in it, all on the same axes.
std::string joint_panels(const ReportInput& input) {
  if (input.validations.size() < 2) return "";
  std::vector<std::pair<std::string, Chart>> panels;
  for (const auto& [joint, value] : input.validations.back().by_joint) {
    const std::string name = panel_name(joint);
    auto panel = std::find_if(panels.begin(), panels.end(), [&](const auto& p) { return p.first == name; });
    if (panel == panels.end()) {
      Chart chart = percent_chart("PCK at 0.2 by step: " + joint_name(name), 224, 158);
      chart.whole = true;
      panel = panels.insert(panels.end(), {name, chart});
    }
    panel->second.series.push_back({"", side_class(joint), joint_curve(input.validations, joint)});
  }
  std::string figures;
  for (const auto& [name, chart] : panels) {
    const std::string svg = chart_svg(chart);
    if (!svg.empty())
      figures += fmt::format("<div><h4>{}</h4>{}</div>\n", escape_html(joint_name(name)), svg);
  }
  if (figures.empty()) return "";
  return "<div class=\"below\">" +
         card("By joint, over the validations",
              fmt::format("<p class=\"keys\">{}</p>\n<div class=\"panels\">\n{}</div>\n", kSideKeys,
                          figures)) +
         "</div>\n";
}

}  // namespace

std::string joint_name(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

std::string side_class(const std::string& joint) {
  if (joint.find("right") != std::string::npos) return "right";
  return joint.find("left") != std::string::npos ? "left" : "middle";
}

std::string accuracy_section(const ReportInput& input) {
  const std::string charts = pck_chart(input) + threshold_chart(input), bars = joint_bars(input);
  if (charts.empty() && bars.empty()) return "";
  std::string note =
      "PCK@0.2: the part of the joints found within a fifth of the person’s torso, measured from left "
      "shoulder to right hip.";
  if (!input.outcomes.empty()) note += " Nearly found is within twice that distance.";
  return section("How good it is", note,
                 "<div class=\"pair\">\n" +
                     (charts.empty() ? "" : "<div class=\"stack\">\n" + charts + "</div>\n") + bars +
                     "</div>\n" + joint_panels(input),
                 "accuracy");
}

}  // namespace cpm
