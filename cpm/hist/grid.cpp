// After the figure on gradients in "Convolutional Pose Machines" (Wei et al., CVPR 2016): a panel is the
// histogram of a layer's signed gradients in an epoch, linear across. Up goes the square root of the share of
// elements in a bin, so that a peak at zero leaves room to see the rest. All panels have the same two axes.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cpm/hist/pictures.h"
#include "cpm/report/series.h"

namespace cpm {
namespace {

constexpr double kHead = 20, kNames = 18, kRowName = 17, kAxis = 22, kTicks = 38, kPanelGap = 8,
                 kBlockGap = 18;
constexpr double kWorthSaying = 0.05;  // a share outside the axis

struct Layout {
  size_t across;  // blocks side by side
  double block_width, panel_height, row_height, block_height;
};

Layout layout(const HistView& view, double width) {
  Layout result;
  result.across = width >= 900 ? view.blocks.size() : 1;
  const auto across = static_cast<double>(result.across);
  result.block_width = (width - (across - 1) * kBlockGap) / across;
  result.panel_height = 84;
  result.row_height = kRowName + result.panel_height;
  result.block_height =
      kHead + kNames + static_cast<double>(view.row_names.size()) * result.row_height + kAxis;
  return result;
}

double highest_share(const HistView& view) {
  double highest = 0;
  for (const HistRun& run : view.runs) {
    for (const std::vector<size_t>& block : view.blocks) {
      for (const size_t tensor : block) {
        for (size_t row = 0; row < view.row_names.size(); ++row) {
          const std::vector<double> shares = grid_shares(view, run.tensors[tensor], row);
          highest = std::max(highest, *std::max_element(shares.begin(), shares.end()));
        }
      }
    }
  }
  return highest > 0 ? highest : 1;
}

struct Panel {
  double x, y, width, height, highest;  // y: of the base line

  double up(double share) const { return y - height * std::sqrt(std::min(1.0, share / highest)); }
};

/// The histogram as steps.
void draw_steps(Canvas* canvas, const Panel& panel, const std::vector<double>& shares, Tone tone) {
  std::vector<Point> outline;
  const double bin = panel.width / static_cast<double>(shares.size());
  for (size_t b = 0; b < shares.size(); ++b) {
    outline.push_back({panel.x + static_cast<double>(b) * bin, panel.up(shares[b])});
    outline.push_back({panel.x + static_cast<double>(b + 1) * bin, panel.up(shares[b])});
  }
  std::vector<Point> area = outline;
  area.push_back({panel.x + panel.width, panel.y});
  area.push_back({panel.x, panel.y});
  canvas->polygon(area, {tone, 0.25});
  canvas->polyline(outline, {tone}, 1.3);
}

void draw_axes(Canvas* canvas, const Panel& panel, bool labels) {
  for (const double share : {0.001, 0.01, 0.1, 0.3, 1.0}) {
    if (share > panel.highest || panel.y - panel.up(share) < 10) continue;
    canvas->line(panel.x, panel.up(share), panel.x + panel.width, panel.up(share), {Tone::Line});
    if (labels) {
      canvas->text(panel.x - 5, panel.up(share) + 4, fmt::format("{:g} %", 100 * share),
                   {.anchor = Anchor::End, .size = 10});
    }
  }
  canvas->line(panel.x + panel.width / 2, panel.y - panel.height, panel.x + panel.width / 2, panel.y,
               {Tone::Line});
  canvas->line(panel.x, panel.y, panel.x + panel.width, panel.y, {Tone::Soft, 0.55});
}

void draw_panel(const HistView& view, Canvas* canvas, const Panel& panel, size_t tensor, size_t row) {
  double note = panel.y - panel.height + 8;
  for (size_t r = 0; r < view.runs.size(); ++r) {
    const HistTensor& shown = view.runs[r].tensors[tensor];
    if (shown.rows[row].elements() == 0) continue;
    const std::vector<double> shares = grid_shares(view, shown, row);
    draw_steps(canvas, panel, shares, run_tone(r));
    const double outside = 1 - std::accumulate(shares.begin(), shares.end(), 0.0);
    if (outside > kWorthSaying) {
      canvas->text(panel.x + panel.width - 2, note, fmt::format("{:.0f} % out", 100 * outside),
                   {.tone = run_tone(r), .anchor = Anchor::End, .size = 9});
      note += 11;
    }
  }
}

void draw_block(const HistView& view, Canvas* canvas, const std::vector<size_t>& block, double x, double y,
                const Layout& size, double highest) {
  const auto columns = static_cast<double>(block.size());
  const double width = (size.block_width - kTicks - (columns - 1) * kPanelGap) / columns;
  const HistRun& run = view.runs[0];
  canvas->text(x + kTicks, y + 12, fmt::format("stage {}", run.tensors[block[0]].tensor.stage),
               {.tone = Tone::Ink, .bold = true});
  y += kHead;
  for (size_t row = 0; row < view.row_names.size(); ++row) {
    const double base = y + kNames + static_cast<double>(row + 1) * size.row_height;
    canvas->text(x + kTicks, base - size.panel_height - 5, view.row_names[row], {.size = kSmall});
    for (size_t i = 0; i < block.size(); ++i) {
      const Panel panel{x + kTicks + static_cast<double>(i) * (width + kPanelGap), base, width,
                        size.panel_height, highest};
      draw_axes(canvas, panel, i == 0);
      draw_panel(view, canvas, panel, block[i], row);
    }
  }
  const double bottom = y + kNames + static_cast<double>(view.row_names.size()) * size.row_height;
  for (size_t i = 0; i < block.size(); ++i) {
    const double left = x + kTicks + static_cast<double>(i) * (width + kPanelGap);
    canvas->text(left + width / 2, y + 11, run.tensors[block[i]].tensor.layer,
                 {.tone = Tone::Ink, .anchor = Anchor::Middle, .size = kSmall});
    const std::string end = range_text(view);
    canvas->text(left, bottom + 14, "−" + end, {.size = 10});
    canvas->text(left + width, bottom + 14, end, {.anchor = Anchor::End, .size = 10});
    canvas->text(left + width / 2, bottom + 14, "0", {.anchor = Anchor::Middle, .size = 10});
  }
}

}  // namespace

double grid_height(const HistView& view, double width) {
  const Layout size = layout(view, width);
  const auto down = static_cast<double>((view.blocks.size() + size.across - 1) / size.across);
  return draw_legend(view, nullptr, width) + down * size.block_height;
}

void draw_grid(const HistView& view, Canvas* canvas) {
  const double top = draw_legend(view, canvas, canvas->width()), highest = highest_share(view);
  const Layout size = layout(view, canvas->width());
  for (size_t i = 0; i < view.blocks.size(); ++i) {
    const auto column = static_cast<double>(i % size.across), row = static_cast<double>(i / size.across);
    draw_block(view, canvas, view.blocks[i], column * (size.block_width + kBlockGap),
               top + row * size.block_height, size, highest);
  }
}

}  // namespace cpm
