#include "cpm/report/page.h"

#include <fmt/format.h>

#include "cpm/report/html.h"

namespace cpm {
namespace {

/// Of up to five columns, those that leave the fewest gaps in the last row.
int fact_columns(int facts) {
  if (facts <= 5) return facts;
  int best = 5;
  for (const int columns : {4, 3}) {
    if ((columns - facts % columns) % columns < (best - facts % best) % best) best = columns;
  }
  return best;
}

}  // namespace

std::string page(const std::string& title, const std::string& html) {
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
         "style-src 'unsafe-inline'\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
         "<link rel=\"icon\" href=\"data:,\">\n<title>" +
         escape_html(title) + "</title>\n<style>" + page_style() + "</style>\n</head>\n<body>\n<main>\n" +
         html + "</main>\n</body>\n</html>\n";
}

std::string page_header(const std::string& title, const std::string& summary,
                        const std::vector<std::pair<std::string, std::string>>& facts,
                        const std::string& lead_html) {
  std::string html = fmt::format("<header>\n<h1>{}</h1>\n{}", escape_html(title), lead_html);
  if (!summary.empty()) html += fmt::format("<p class=\"summary\">{}</p>\n", escape_html(summary));
  if (!facts.empty()) {
    html +=
        fmt::format("<dl class=\"facts\" style=\"--n:{}\">\n", fact_columns(static_cast<int>(facts.size())));
    for (const auto& [what, value] : facts) {
      html += fmt::format("<div><dt>{}</dt><dd{}>{}</dd></div>\n", escape_html(what),
                          value.size() > 16 ? " class=\"long\"" : "", escape_html(value));
    }
    html += "</dl>\n";
  }
  return html + "</header>\n";
}

std::string card(const std::string& heading_html, const std::string& html) {
  if (html.empty()) return "";
  const std::string title = heading_html.empty() ? "" : fmt::format("<h3>{}</h3>\n", heading_html);
  return fmt::format("<div class=\"card\">{}{}</div>\n", title, html);
}

std::string section(const std::string& heading_html, const std::string& note_html, const std::string& html,
                    const std::string& id) {
  if (html.empty()) return "";
  return fmt::format("<section{}>\n<h2>{}</h2>\n<p class=\"note\">{}</p>\n{}</section>\n",
                     id.empty() ? "" : fmt::format(" id=\"{}\"", id), heading_html, note_html, html);
}

std::string folded(const std::string& heading_html, const std::string& html) {
  if (html.empty()) return "";
  return fmt::format("<details><summary>{}</summary><div>{}</div></details>\n", heading_html, html);
}

std::string sized_pictures(const std::function<std::string(const PictureSize&)>& draw) {
  std::string html;
  for (const PictureSize& size : kPictureSizes) {
    const std::string svg = draw(size);
    if (!svg.empty()) html += fmt::format("<div class=\"{}\">{}</div>\n", size.css, svg);
  }
  return html;
}

}  // namespace cpm
