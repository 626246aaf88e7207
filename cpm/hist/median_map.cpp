#include "cpm/hist/median_map.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <string_view>

#include "cpm/hist/pictures.h"
#include "cpm/report/color_map.h"
#include "cpm/report/series.h"
#include "engine/io/file.h"

namespace cpm {
namespace {

constexpr Color kNothing = {0x8b, 0x95, 0xa1};  // no gradient at all: a grey that the ramp has not
constexpr double kDarkEnd = 0.08;               // of the ramp: near black would be lost on a dark page
constexpr int kColumns = 120;
constexpr double kMostDecades = 12;
constexpr uint64_t kMostBytes = uint64_t{1} << 32;

Color color_of(const LogRange& range, double magnitude) {
  if (!(magnitude > 0) || !std::isfinite(magnitude)) return kNothing;
  const double t = (std::log10(magnitude) - range.low) / (range.high - range.low);
  return belief_color(kDarkEnd + (1 - kDarkEnd) * std::clamp(t, 0.0, 1.0));
}

void draw_steps(const StepSpan& steps, Canvas* canvas, const PanelBox& box) {
  const ChartAxis axis = step_axis(static_cast<double>(steps.first), static_cast<double>(steps.last),
                                   static_cast<int>(box.width / 50));
  for (const double tick : axis.ticks) {
    const double x = box.x + axis.at(tick) * box.width;
    canvas->line(x, box.y + box.height, x, box.y + box.height + 4, {Tone::Soft, 0.55});
    canvas->text(x, box.y + box.height + 17, axis.label(tick), {.anchor = Anchor::Middle, .size = kSmall});
  }
  canvas->text(box.x + box.width, box.y + box.height + 31, "step", {.anchor = Anchor::End, .size = kSmall});
}

/// A line of quantiles.csv: step,tensor,depth,stage,q05,q25,q50,q75,q95.
struct Row {
  int64_t step = 0;
  int depth = 0;
  std::string_view tensor;
  double median = 0;
};

template <class T>
bool parse(std::string_view cell, T* value) {
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), *value);
  return error == std::errc() && end == cell.data() + cell.size();
}

std::optional<Row> parse_line(std::string_view line) {
  std::vector<std::string_view> cells;
  for (size_t begin = 0, comma = 0; comma != std::string_view::npos; begin = comma + 1) {
    comma = line.find(',', begin);
    cells.push_back(line.substr(begin, comma - begin));
  }
  Row row;
  if (cells.size() != 9 || !parse(cells[0], &row.step) || !parse(cells[2], &row.depth)) return std::nullopt;
  row.tensor = cells[1];
  if (!parse(cells[6], &row.median)) row.median = std::numeric_limits<double>::quiet_NaN();
  return row;
}

struct LayerMedians {
  std::string name;
  std::vector<std::pair<int64_t, double>> medians;  // (step, median), steps ascending
};

/// Layers by depth.
std::map<int, LayerMedians> read_layers(std::string_view text) {
  constexpr std::string_view kWeights = ".weight";
  std::map<int, LayerMedians> layers;
  for (size_t begin = 0, end = 0; (end = text.find('\n', begin)) != std::string_view::npos; begin = end + 1) {
    const auto row = parse_line(text.substr(begin, end - begin));
    if (!row || !row->tensor.ends_with(kWeights)) continue;
    LayerMedians& layer = layers[row->depth];
    layer.name = row->tensor.substr(0, row->tensor.size() - kWeights.size());
    layer.medians.emplace_back(row->step, row->median);
  }
  return layers;
}

std::vector<double> column_medians(const LayerMedians& layer, const std::vector<StepSpan>& columns) {
  std::vector<double> result;
  double before = std::numeric_limits<double>::quiet_NaN();
  auto record = layer.medians.begin();
  for (const StepSpan& column : columns) {
    std::vector<double> values;
    for (; record != layer.medians.end() && record->first <= column.last; ++record)
      values.push_back(record->second);
    if (!values.empty()) {
      // A tensor without gradients has no median, which sorts behind all numbers.
      const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
      std::nth_element(values.begin(), middle, values.end(),
                       [](double a, double b) { return std::isnan(b) ? !std::isnan(a) : a < b; });
      before = *middle;
    }
    result.push_back(before);
  }
  return result;
}

}  // namespace

std::optional<MedianMap> read_median_map(const std::filesystem::path& grads) {
  std::error_code missing;
  if (!std::filesystem::is_regular_file(grads / "quantiles.csv", missing)) return std::nullopt;
  const std::string text = engine::read_text(grads / "quantiles.csv", kMostBytes);
  const std::map<int, LayerMedians> layers = read_layers(text);
  if (layers.empty()) return std::nullopt;
  MedianMap map;
  const auto& records = layers.begin()->second.medians;
  map.steps = {records.front().first, records.back().first};
  if (map.steps.last < map.steps.first) return std::nullopt;
  const std::vector<StepSpan> columns =
      cut(map.steps, static_cast<int>(std::min<size_t>(kColumns, records.size())));
  std::vector<double> all;
  for (const auto& [depth, layer] : layers) {
    map.layers.push_back(layer.name);
    map.medians.push_back(column_medians(layer, columns));
    all.insert(all.end(), map.medians.back().begin(), map.medians.back().end());
  }
  map.range = log_range(all, kMostDecades);
  return map;
}

double median_row_pitch(size_t layers) {
  return layers > 30 ? 14 : 17;
}

void draw_median_bar(const LogRange& range, Canvas* canvas, double left, double y) {
  constexpr int kSteps = 128;
  const double width = std::min(300.0, canvas->width() - left - 12);
  Image ramp(kSteps, 1, Color{0, 0, 0});
  for (int i = 0; i < kSteps; ++i) {
    const double t = (i + 0.5) / kSteps;
    const Color color = color_of(range, std::pow(10.0, range.low + t * (range.high - range.low)));
    std::copy(color.begin(), color.end(), ramp.at(i, 0));
  }
  canvas->text(left - 8, y + 10, "median |g|", {.tone = Tone::Ink, .anchor = Anchor::End, .size = kSmall});
  canvas->cells(left, y, width, 12, ramp);
  draw_powers(canvas, range, left, left + width, y + 25);
}

void draw_medians(const MedianMap& map, Canvas* canvas, const PanelBox& box) {
  const auto columns = map.medians.empty() ? size_t{0} : map.medians[0].size();
  Image image(static_cast<int>(columns), static_cast<int>(map.medians.size()), kNothing);
  for (int row = 0; row < image.height; ++row) {
    for (int column = 0; column < image.width; ++column) {
      const Color color = color_of(map.range, map.medians[row][column]);
      std::copy(color.begin(), color.end(), image.at(column, row));
    }
  }
  canvas->cells(box.x, box.y, box.width, box.height, image);
  draw_steps(map.steps, canvas, box);
}

double median_map_height(const MedianMap& map) {
  return kMedianBar + median_row_pitch(map.layers.size()) * static_cast<double>(map.layers.size()) +
         kMedianAxis;
}

void draw_median_map(const MedianMap& map, Canvas* canvas) {
  const double left = names_width(map.layers), pitch = median_row_pitch(map.layers.size());
  draw_median_bar(map.range, canvas, left, 0);
  draw_names(map.layers, canvas, left - 8, kMedianBar + pitch / 2 + 4, pitch);
  draw_medians(
      map, canvas,
      {left, kMedianBar, canvas->width() - left - 12, pitch * static_cast<double>(map.layers.size())});
}

}  // namespace cpm
