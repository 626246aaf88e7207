// Words first: how much smaller the gradient is near the image than near the output, early and late. Then the
// map (all steps), the ridgelines (whole distributions) and the paper's grid.
#include "cpm/hist/hist_page.h"

#include <fmt/format.h>

#include <cmath>

#include "cpm/hist/pictures.h"
#include "cpm/report/html.h"
#include "cpm/report/page.h"
#include "cpm/report/series.h"
#include "engine/io/file.h"

namespace cpm {
namespace {

constexpr double kFileWidth = 1040, kFileScale = 2;
constexpr Margins kFileMargins{.sides = 18, .top = 46, .bottom = 14};

struct Picture {
  const char* name;
  const char* aloud;
  double (*height)(const HistView&, double width);
  void (*draw)(const HistView&, Canvas*);
};

constexpr Picture kMap = {"map", "Median gradient magnitude by depth and step", map_height, draw_map};
constexpr Picture kRidgelines = {"ridgelines", "Distributions of gradient magnitude by depth and step",
                                 ridgelines_height, draw_ridgelines};
constexpr Picture kGrid = {"grid", "Histograms of signed gradients by layer and epoch", grid_height,
                           draw_grid};

/// "With and without intermediate supervision", or the run's name.
std::string subject(const HistView& view) {
  if (view.runs.size() == 1) return view.runs[0].label;
  const bool with = view.runs[0].meta.intermediate_supervision;
  if (with != view.runs[1].meta.intermediate_supervision) {
    return with ? "with and without intermediate supervision" : "without and with intermediate supervision";
  }
  return view.runs[0].label + " and " + view.runs[1].label;
}

std::string themed_svg(const HistView& view, const Picture& picture, double width) {
  SvgCanvas canvas(width, picture.height(view, width), picture.aloud, SvgColors::ByTheme);
  picture.draw(view, &canvas);
  return canvas.svg();
}

/// A picture that stands alone says what it is.
void draw_titled(const HistView& view, const Picture& picture, Canvas* canvas) {
  canvas->text(0, -20, fmt::format("{}: {}", picture.aloud, subject(view)),
               {.tone = Tone::Ink, .size = 15, .bold = true});
  picture.draw(view, canvas);
}

/// "whole": on paper the widest picture, made smaller, since the others are higher than a page.
std::string picture_card(const HistView& view, const Picture& picture) {
  return card("", "<div class=\"whole\">" + sized_pictures([&](const PictureSize& size) {
                    return themed_svg(view, picture, size.width);
                  }) + "</div>\n");
}

/// What the gradients are of: "22 layers’ weights".
std::string things(const HistView& view) {
  if (view.options.kind == "activation") return "outputs";
  return view.options.kind == "bias" ? "biases" : "weights";
}

/// Two digits, with commas: 8.6, 170, 93,000.
std::string times(double factor) {
  if (factor < 10) return fmt::format("{:.1f}", factor);
  const double unit = std::pow(10.0, std::floor(std::log10(factor)) - 1);
  std::string text = fmt::format("{:.0f}", std::round(factor / unit) * unit);
  for (size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

/// How the layer nearest the image compares with the last: "12 times smaller than"; empty where one has no
/// gradient.
std::string near_image(const HistRun& run, size_t slice) {
  const double first = magnitude_quantile(run.tensors.front().slices[slice], 0.5);
  const double last = magnitude_quantile(run.tensors.back().slices[slice], 0.5);
  if (!(first > 0) || !(last > 0)) return "";
  const double ratio = last / first;
  if (ratio > 1.2) return times(ratio) + " times smaller than";
  if (ratio < 1 / 1.2) return times(1 / ratio) + " times larger than";
  return "about as large as";
}

bool all_zero(const HistTensor& tensor) {
  return std::isnan(magnitude_quantile(tensor.all, 0.5));
}

std::string ends_sentence(const HistRun& run, size_t slices) {
  const std::string early = near_image(run, 0), late = near_image(run, slices - 1);
  if (run.tensors.size() < 2 || early.empty() || late.empty()) return "";
  const std::string change =
      early == late ? "" : fmt::format(" in the first steps, and {} it in the last", late);
  return fmt::format("the median gradient of {} is {} that of {}{}", run.tensors.front().tensor.layer, early,
                     run.tensors.back().tensor.layer, change);
}

std::string summary(const HistView& view) {
  std::string text;
  for (const HistRun& run : view.runs) {
    const std::string ends = ends_sentence(run, view.slices.size());
    if (ends.empty()) continue;
    std::string sentence = view.runs.size() == 2 ? run.label + ": " + ends : ends;
    if (sentence[0] >= 'a' && sentence[0] <= 'z') sentence[0] = static_cast<char>(sentence[0] - 'a' + 'A');
    text += (text.empty() ? "" : " ") + sentence + ".";
  }
  return text;
}

std::string supervision(const RecordedMeta& meta) {
  return meta.intermediate_supervision ? "every stage" : "the last stage alone";
}

std::vector<std::pair<std::string, std::string>> facts(const HistView& view) {
  std::vector<std::pair<std::string, std::string>> list;
  for (const HistRun& run : view.runs) {
    const std::string records =
        fmt::format("{} records, steps {}–{}", run.steps.size(), run.steps.front(), run.steps.back());
    if (view.runs.size() == 1) {
      list.push_back({"recorded", records});
      list.push_back({"loss on", supervision(run.meta)});
    } else {
      list.push_back({run.label, run.label == run.meta.run ? records : run.meta.run + ": " + records});
    }
  }
  list.push_back({"gradients of", fmt::format("{} layers’ {}", view.runs[0].tensors.size(), things(view))});
  return list;
}

std::string warnings(const HistView& view) {
  std::string html;
  for (const HistRun& run : view.runs) {
    size_t records = 0;
    std::string silent;
    for (const HistTensor& tensor : run.tensors) {
      for (const RecordSummary& record : tensor.records) records += record.non_finite > 0;
      if (all_zero(tensor)) silent += (silent.empty() ? "" : ", ") + tensor.tensor.name;
    }
    const std::string who = escape_html(run.label);
    if (records > 0) {
      html +=
          fmt::format(" <strong>{}: {} histograms hold NaN or infinite gradients.</strong>", who, records);
    }
    if (!silent.empty())
      html += fmt::format(" <strong>{}: no gradient at all in {}.</strong>", who, escape_html(silent));
  }
  return html;
}

std::string map_section(const HistView& view) {
  return section(
      "How large gradients are, layer by layer",
      "Rows are layers, the image above, the output below; a colour is the median size of a layer’s "
      "gradient at a step. Beside it, the range that holds the middle 90 % of its elements, with a mark at "
      "the median. Zeros are left out; grey is a layer without any gradient." +
          warnings(view),
      picture_card(view, kMap));
}

std::string ridgelines_section(const HistView& view) {
  return section(
      "The whole distribution, while training goes on",
      "A ridge is the distribution of a layer’s gradient sizes, on a logarithmic axis; to the right is "
      "larger. All panels have the same axes, and a ridge’s height is the share of the elements at that "
      "size. A bar at the left edge is the share that is exactly zero.",
      picture_card(view, kRidgelines));
}

std::string grid_section(const HistView& view) {
  const std::string bins =
      view.recorded_linear
          ? "Bins are the recorded linear ones."
          : "Bins are computed from the logarithmic ones, each spread evenly over its interval.";
  const bool epochs = view.row_names[0].rfind("epoch", 0) == 0;
  const std::string rows =
      epochs ? "" : " The run has no three epochs on record, so its steps are cut into thirds.";
  return section(
      "The paper’s figure: signed gradients by layer and epoch",
      fmt::format("As in “Convolutional Pose Machines”, figure 5: of the first, middle and last stage the "
                  "first, third and last layer on the way from the image through the belief maps; rows are "
                  "epochs. Across: the gradient, linear, from −{0} to {0}. Up: the share of the elements "
                  "in a bin, on a square-root scale so that a peak at zero leaves the rest visible; “out” is "
                  "the share beyond the axis. {1}{2}",
                  range_text(view), bins, rows),
      picture_card(view, kGrid));
}

std::string left_out(const HistView& view) {
  std::string html;
  for (const std::string& name : view.left_out) html += fmt::format("<li>{}</li>\n", escape_html(name));
  if (html.empty()) return "";
  return folded(fmt::format("{} tensors are left out: only one run has them", view.left_out.size()),
                "<ul>\n" + html + "</ul>");
}

std::string title(const HistView& view) {
  const bool one = view.runs.size() == 1;
  return (one || view.runs[0].label == view.runs[0].meta.run ? "Gradients of " : "Gradients ") +
         subject(view);
}

}  // namespace

std::string hist_html(const HistView& view) {
  const std::string taken =
      "<p class=\"note\" style=\"margin-top:20px\">Gradients of the loss before clipping and learning-rate "
      "multipliers. The files "
      "beside this "
      "page hold the same pictures as SVG and PNG and the numbers as CSV.</p>\n";
  return page(title(view), page_header(title(view), summary(view), facts(view)) + map_section(view) +
                               ridgelines_section(view) + grid_section(view) + left_out(view) + taken);
}

std::vector<std::filesystem::path> write_hist_files(const HistView& view,
                                                    const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  const auto text = [&](const std::string& name, const std::string& content) {
    files.push_back(folder / name);
    engine::write_text(files.back(), content);
  };
  for (const Picture& picture : {kMap, kRidgelines, kGrid}) {
    const double height = picture.height(view, kFileWidth);
    SvgCanvas svg(kFileWidth, height, picture.aloud, SvgColors::Fixed, kFileMargins);
    draw_titled(view, picture, &svg);
    text(std::string(picture.name) + ".svg", svg.svg());
    RasterCanvas canvas(kFileWidth, height, kFileScale, kFileMargins);
    draw_titled(view, picture, &canvas);
    files.push_back(folder / (std::string(picture.name) + ".png"));
    write_png(files.back(), canvas.image());
  }
  text("quantiles.csv", quantiles_csv(view));
  text("grid.csv", grid_csv(view));
  return files;
}

}  // namespace cpm
