// The page from top to bottom, the answer before the evidence. A part without data is left out.
#include "cpm/report/report.h"

#include <fmt/format.h>

#include "cpm/report/html.h"
#include "cpm/report/page.h"
#include "cpm/report/report_parts.h"

namespace cpm {
namespace {

std::string preformatted(const std::string& text) {
  return text.empty() ? "" : "<pre>" + escape_html(text) + "</pre>";
}

std::string environment_table(const ReportInput& input) {
  std::string rows;
  for (const auto& [what, value] : input.environment) {
    rows +=
        fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", escape_html(what), escape_html(value));
  }
  return rows.empty() ? "" : "<table>\n" + rows + "</table>";
}

std::string plan_rows(const ReportInput& input) {
  if (input.plan.empty()) return "";
  std::string rows =
      "<tr><th>layer</th><th>shape</th><th>GFLOP</th><th>forward</th><th>gradient of the input</th><th>of "
      "the "
      "weights</th></tr>\n";
  for (const PlanLayer& row : input.plan) {
    rows += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"number\">{:.3f}</td>",
                        escape_html(row.layer), escape_html(row.shape), row.gflop);
    for (const std::string& name : row.rows) rows += fmt::format("<td>{}</td>", escape_html(name));
    rows += "</tr>\n";
  }
  return "<table class=\"plan\">\n" + rows + "</table>";
}

/// A link to each part that is there.
std::string contents(const std::vector<std::pair<std::string, std::string>>& parts) {
  std::string links;
  for (const auto& [id, name] : parts) links += fmt::format("<a href=\"#{}\">{}</a>\n", id, name);
  return parts.size() < 2 ? "" : "<nav>\n" + links + "</nav>\n";
}

std::string lead(const ReportInput& input) {
  std::string html;
  if (!input.state.empty()) html += fmt::format("<p class=\"state\">{}</p>\n", escape_html(input.state));
  if (const std::string text = verdict(input); !text.empty())
    html += fmt::format("<p class=\"verdict\">{}</p>\n", escape_html(text));
  return html;
}

}  // namespace

std::string repeat_section(const ReportInput& input) {
  return section("To repeat it", "What this run was given, where it ran and how it computed.",
                 folded("Settings", preformatted(input.settings_toml)) +
                     folded("Environment", environment_table(input)) +
                     folded("Plan of convolution rows", plan_rows(input)),
                 "repeat");
}

std::string report_html(const ReportInput& input) {
  struct Part {
    const char *id, *name;
    std::string (*html)(const ReportInput&);
  };
  static constexpr Part kParts[] = {{"accuracy", "How good", accuracy_section},
                                    {"people", "Where it fails", people_section},
                                    {"belief", "Belief", beliefs_section},
                                    {"learning", "Learning", learning_section},
                                    {"gradients", "Gradients", gradients_section},
                                    {"inputs", "Input", inputs_section},
                                    {"speed", "Speed", speed_section},
                                    {"repeat", "To repeat it", repeat_section}};
  std::vector<std::pair<std::string, std::string>> there;
  std::string body;
  for (const Part& part : kParts) {
    const std::string html = part.html(input);
    if (!html.empty()) there.emplace_back(part.id, part.name);
    body += html;
  }
  return page(input.title, page_header(input.title, input.summary, report_facts(input), lead(input)) +
                               contents(there) + body);
}

}  // namespace cpm
