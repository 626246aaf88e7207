// Axes are fixed in the data of all runs shown, by quantiles: one spike at 1e18 must not flatten everything
// else.
#include "cpm/hist/view.h"

#include <fnmatch.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "kernels/base/error.h"

namespace cpm {
namespace {

constexpr int kSlices = 5, kColumns = 160, kRows = 3;
constexpr int kGridBins = 41;                       // odd: one in the middle for what is near zero
constexpr double kMostDecades = 12;                 // of an axis
constexpr double kLowest = 0.02, kHighest = 0.999;  // quantiles that the axis of magnitudes holds

[[noreturn]] void bad(const std::filesystem::path& where, const std::string& what,
                      const std::string& expected, const std::string& got, const std::string& hint) {
  throw kernels::Error(
      kernels::ExitCode::BadData,
      {.where = where.string(), .what = what, .expected = expected, .got = got, .hint = hint});
}

bool chosen(const HistOptions& options, const GradTensor& tensor) {
  const char* glob = options.tensors.c_str();
  return tensor.kind == options.kind &&
         (fnmatch(glob, tensor.name.c_str(), 0) == 0 || fnmatch(glob, tensor.layer.c_str(), 0) == 0);
}

std::vector<GradTensor> chosen_tensors(const GradFolder& folder, const HistOptions& options) {
  std::vector<GradTensor> tensors;
  for (const GradTensor& tensor : folder.meta().tensors) {
    if (chosen(options, tensor)) tensors.push_back(tensor);
  }
  if (tensors.empty()) {
    bad(folder.path(), "holds no such tensor",
        fmt::format("a tensor of kind {} that matches {}", options.kind, options.tensors),
        fmt::format("{} tensors of other kinds and names", folder.meta().tensors.size()),
        fmt::format("its first is {}", folder.meta().tensors.front().name));
  }
  std::stable_sort(tensors.begin(), tensors.end(),
                   [](const GradTensor& a, const GradTensor& b) { return a.depth < b.depth; });
  return tensors;
}

/// Of `tensors` those that `other` has too; names of the rest go to left_out.
std::vector<GradTensor> common(const std::vector<GradTensor>& tensors, const std::vector<GradTensor>& other,
                               const std::string& label, std::vector<std::string>* left_out) {
  std::set<std::string> names;
  for (const GradTensor& tensor : other) names.insert(tensor.name);
  std::vector<GradTensor> both;
  for (const GradTensor& tensor : tensors) {
    if (names.count(tensor.name) > 0) {
      both.push_back(tensor);
    } else {
      left_out->push_back(fmt::format("{} (only in {})", tensor.name, label));
    }
  }
  return both;
}

bool has_record(const HistRun& run, const StepSpan& span) {
  return std::any_of(run.steps.begin(), run.steps.end(), [&](int64_t step) { return span.holds(step); });
}

/// The first epochs of which every run has records.
std::vector<int64_t> first_epochs(const std::vector<HistRun>& runs) {
  std::vector<int64_t> epochs;
  for (const int64_t step : runs[0].steps) {
    const int64_t epoch = epoch_of(step, runs[0].meta.epochs);
    const bool everywhere = std::all_of(runs.begin(), runs.end(), [&](const HistRun& run) {
      return has_record(run, epoch_steps(epoch, run.meta.epochs));
    });
    if (everywhere && (epochs.empty() || epochs.back() != epoch)) epochs.push_back(epoch);
    if (epochs.size() == kRows) break;
  }
  return epochs;
}

/// Rows of the grid: epochs, or thirds of a run that has not three of them.
void choose_rows(HistView* view) {
  std::vector<int64_t> epochs = view->options.epochs;
  if (epochs.empty()) epochs = first_epochs(view->runs);
  if (view->options.epochs.empty() && epochs.size() < kRows) {
    const std::vector<StepSpan> thirds = cut(view->steps, kRows);
    for (const StepSpan& span : thirds)
      view->row_names.push_back(fmt::format("steps {}–{}", span.first, span.last));
    for (HistRun& run : view->runs) run.rows = thirds;
    return;
  }
  for (const int64_t epoch : epochs) {
    view->row_names.push_back(fmt::format("epoch {}", epoch));
    for (HistRun& run : view->runs) {
      run.rows.push_back(epoch_steps(epoch, run.meta.epochs));
      if (!has_record(run, run.rows.back())) {
        bad(run.path, fmt::format("has no record of epoch {}", epoch),
            fmt::format("epochs {} to {}", epoch_of(run.steps.front(), run.meta.epochs),
                        epoch_of(run.steps.back(), run.meta.epochs)),
            fmt::format("epoch {}", epoch), "choose others with --epochs");
      }
    }
  }
}

RecordSummary summary(const HistCounts& counts, const RecordedStats& stats) {
  RecordSummary result;
  for (size_t q = 0; q < std::size(kQuantiles); ++q) {
    result.quantiles[q] = magnitude_quantile(counts, kQuantiles[q]);
  }
  result.zero_share = zero_share(counts);
  result.non_finite = counts.of(Special::Nan) + counts.of(Special::Inf);
  result.stats = stats;
  return result;
}

void add_to_spans(const std::vector<StepSpan>& spans, int64_t step, const HistCounts& counts,
                  std::vector<HistCounts>* sums) {
  sums->resize(spans.size());
  for (size_t i = 0; i < spans.size(); ++i) {
    if (spans[i].holds(step)) (*sums)[i] += counts;
  }
}

HistTensor read_tensor(const GradFolder& folder, const HistView& view, const HistRun& run,
                       const GradTensor& tensor) {
  HistTensor result{.tensor = tensor};
  result.records.resize(run.steps.size());
  std::vector<HistCounts> columns;
  folder.each_record(tensor, [&](size_t record, const HistCounts& counts, const RecordedStats& stats) {
    const int64_t step = run.steps[record];
    result.records[record] = summary(counts, stats);
    result.all += counts;
    add_to_spans(view.slices, step, counts, &result.slices);
    add_to_spans(run.rows, step, counts, &result.rows);
    add_to_spans(view.columns, step, counts, &columns);
  });
  double before = std::numeric_limits<double>::quiet_NaN();
  for (const HistCounts& column : columns) {
    if (column.elements() > 0) before = magnitude_quantile(column, 0.5);
    result.medians.push_back(before);
  }
  return result;
}

void choose_axes(HistView* view) {
  std::vector<double> ends, medians;
  for (const HistRun& run : view->runs) {
    for (const HistTensor& tensor : run.tensors) {
      ends.push_back(magnitude_quantile(tensor.all, kLowest));
      ends.push_back(magnitude_quantile(tensor.all, kHighest));
      medians.insert(medians.end(), tensor.medians.begin(), tensor.medians.end());
    }
  }
  view->magnitudes = log_range(ends, kMostDecades);
  view->medians = log_range(medians, kMostDecades);
}

/// As recorded where every run has the same linear bins and no other range is asked for; else wide enough for
/// 95 % of the elements in half of the grid's layers.
void choose_signed_axis(HistView* view) {
  const auto& linear = view->runs[0].meta.linear;
  view->recorded_linear = linear.has_value() && view->options.range.value_or(linear->range) == linear->range;
  for (const HistRun& run : view->runs) {
    const auto& other = run.meta.linear;
    view->recorded_linear =
        view->recorded_linear && other && other->bins == linear->bins && other->range == linear->range;
  }
  if (view->recorded_linear) {
    view->signed_axis = *linear;
    return;
  }
  std::vector<double> widths;
  for (const std::vector<size_t>& block : view->blocks) {
    for (const size_t i : block) {
      double widest = 0;
      for (const HistRun& run : view->runs) {
        for (const HistCounts& row : run.tensors[i].rows) {
          const double width = magnitude_quantile(row, 0.95);
          if (width > widest) widest = width;
        }
      }
      widths.push_back(widest);
    }
  }
  std::sort(widths.begin(), widths.end());
  view->signed_axis = {kGridBins, view->options.range.value_or(round_up(widths[widths.size() / 2]))};
}

std::string supervision(const RecordedMeta& meta) {
  return meta.intermediate_supervision ? "with intermediate supervision" : "without intermediate supervision";
}

/// By what was asked of them where that differs, else by name, else by folder.
void label_runs(std::vector<HistRun>* runs) {
  for (HistRun& run : *runs) run.label = run.meta.run;
  if (runs->size() < 2) return;
  HistRun &a = runs->at(0), &b = runs->at(1);
  const bool same_name = a.meta.run == b.meta.run;
  if (a.meta.intermediate_supervision != b.meta.intermediate_supervision) {
    for (HistRun* run : {&a, &b}) run->label = supervision(run->meta);
  } else if (same_name) {
    for (HistRun* run : {&a, &b}) run->label = run->path.string();
  }
}

}  // namespace

HistView gather(const std::vector<std::filesystem::path>& runs, const HistOptions& options) {
  CPM_CHECK(runs.size() == 1 || runs.size() == 2, "{} runs", runs.size());
  HistView view{.options = options};
  std::vector<GradFolder> folders;
  std::vector<std::vector<GradTensor>> tensors;
  view.steps = {std::numeric_limits<int64_t>::max(), 0};
  size_t records = kColumns;
  for (const std::filesystem::path& path : runs) {
    const GradFolder& folder = folders.emplace_back(GradFolder::open(path));
    tensors.push_back(chosen_tensors(folder, options));
    view.runs.push_back({.path = path, .meta = folder.meta(), .steps = folder.steps()});
    view.steps.first = std::min(view.steps.first, folder.steps().front());
    view.steps.last = std::max(view.steps.last, folder.steps().back());
    records = std::min(records, folder.steps().size());
  }
  label_runs(&view.runs);
  if (runs.size() == 2) {
    const auto both = common(tensors[0], tensors[1], view.runs[0].label, &view.left_out);
    tensors[1] = common(tensors[1], tensors[0], view.runs[1].label, &view.left_out);
    tensors[0] = both;
    if (both.empty())
      bad(runs[1], "has no tensor in common with the other run", "runs of like networks", "none in common",
          "compare runs of networks with like layers");
    std::sort(tensors[1].begin(), tensors[1].end(), [&](const GradTensor& a, const GradTensor& b) {
      const auto place = [&](const GradTensor& tensor) {
        return std::find_if(both.begin(), both.end(),
                            [&](const GradTensor& t) { return t.name == tensor.name; });
      };
      return place(a) < place(b);
    });
  }
  view.slices = cut(view.steps, kSlices);
  view.columns = cut(view.steps, static_cast<int>(records));
  view.blocks = grid_blocks(tensors[0]);
  choose_rows(&view);
  for (size_t r = 0; r < runs.size(); ++r) {
    for (const GradTensor& tensor : tensors[r]) {
      view.runs[r].tensors.push_back(read_tensor(folders[r], view, view.runs[r], tensor));
    }
  }
  choose_axes(&view);
  choose_signed_axis(&view);
  return view;
}

std::vector<double> grid_shares(const HistView& view, const HistTensor& tensor, size_t row) {
  const HistCounts& counts = tensor.rows.at(row);
  if (view.recorded_linear && !counts.linear.empty()) return recorded_signed_shares(counts);
  return signed_shares(counts, view.signed_axis);
}

}  // namespace cpm
