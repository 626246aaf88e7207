// What a reader believes: people found well and badly, belief maps, the network's input.
#include <fmt/format.h>

#include "cpm/report/color_map.h"
#include "cpm/report/html.h"
#include "cpm/report/page.h"
#include "cpm/report/report_parts.h"
#include "cpm/report/theme.h"

namespace cpm {
namespace {

std::string figure(const ReportPicture& picture) {
  const Image& image = picture.image;
  if (image.width <= 0 || image.height <= 0) return "";
  const std::string caption = escape_html(picture.caption);
  return fmt::format(
      "<figure><img alt=\"{}\" width=\"{}\" height=\"{}\" "
      "src=\"data:image/jpeg;base64,{}\">{}</figure>\n",
      caption, image.width, image.height, base64(encode_jpeg(image)),
      caption.empty() ? "" : fmt::format("<figcaption>{}</figcaption>", caption));
}

std::string figures(const std::vector<ReportPicture>& pictures) {
  std::string html;
  for (const ReportPicture& picture : pictures) html += figure(picture);
  return html;
}

std::string gallery(const std::string& heading, const std::vector<ReportPicture>& pictures,
                    const std::string& css) {
  const std::string html = figures(pictures);
  if (html.empty()) return "";
  const std::string title = heading.empty() ? "" : "<h3 class=\"row\">" + heading + "</h3>\n";
  return title + "<div class=\"" + css + "\">\n" + html + "</div>\n";
}

std::string people_keys() {
  return fmt::format("<p class=\"keys\">{}<span><i class=\"truth\"></i>annotation</span></p>\n", kSideKeys);
}

std::string belief_keys() {
  std::string stops;
  for (int i = 0; i <= 16; ++i) stops += "," + color_text(belief_color(i / 16.0));
  return fmt::format(
      "<p class=\"keys\"><span>0<i class=\"ramp\" style=\"background:linear-gradient(90deg{})\"></i>"
      "1</span><span><i class=\"ring\"></i>annotation</span></p>\n",
      stops);
}

}  // namespace

std::string people_section(const ReportInput& input) {
  const size_t worst = input.worst.size();
  const std::string pictures =
      gallery(worst == 1 ? "Found worst" : fmt::format("The {} found worst", worst), input.worst, "gallery") +
      gallery("Typical", input.typical, "gallery") + gallery("Found best", input.best, "gallery");
  if (pictures.empty()) return "";
  return section(
      "Where it fails",
      "Validation people by the share of their joints that are found (PCK@0.2), then by mean "
      "distance; typical ones lie round the middle of that order. Found joints in colour, annotated "
      "ones in white; sides are the person’s own.",
      people_keys() + pictures, "people");
}

std::string beliefs_section(const ReportInput& input) {
  const ReportBeliefs& beliefs = input.beliefs;
  if (beliefs.joints.empty()) return "";
  const size_t stages = stage_count(input);
  const std::string strips =
      fmt::format("<div class=\"strips\" style=\"--t:{}\">\n", stages) + figures(beliefs.joints) + "</div>\n";
  std::string note = stages > 1
                         ? fmt::format(
                               "Where each stage believes the joints to be, stages 1 to {} from left to "
                               "right, the highest belief below each.",
                               stages)
                         : "Where it believes the joints to be, with the highest belief.";
  if (stages > 1) note += " Later stages see more of the person and settle what the first leaves open.";
  return section("Belief, stage by stage", note + " <code>report.image</code> chooses the person.",
                 belief_keys() + "<div class=\"belief\">\n<div>" + figure(beliefs.person) + "</div>\n" +
                     strips + "</div>\n",
                 "belief");
}

std::string inputs_section(const ReportInput& input) {
  return section("What the network is given",
                 "The first samples of the run as the network sees them: cut out round the person, resized, "
                 "mirrored where it says so, which exchanges left and right. In colour the joints that every "
                 "stage is asked for, in white those of other people, for which only stage 1 is asked.",
                 gallery("", input.inputs, "gallery small"), "inputs");
}

}  // namespace cpm
