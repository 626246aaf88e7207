#include <fmt/format.h>

#include <cmath>

#include "cpm/hist/hist_page.h"

namespace cpm {
namespace {

std::string cell(double value) {
  return std::isfinite(value) ? fmt::format("{:.9g}", value) : "";
}

/// A name that holds commas or quotes, in quotes.
std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string result = "\"";
  for (const char c : text) result += c == '"' ? std::string("\"\"") : std::string(1, c);
  return result + "\"";
}

std::string run_letter(size_t run) {
  return run == 0 ? "a" : "b";
}

}  // namespace

std::string quantiles_csv(const HistView& view) {
  std::string csv =
      "run,step,tensor,kind,depth,stage,q05,q25,q50,q75,q95,zero,non_finite,mean,max,l2,update_ratio\n";
  for (size_t r = 0; r < view.runs.size(); ++r) {
    const HistRun& run = view.runs[r];
    for (size_t record = 0; record < run.steps.size(); ++record) {
      for (const HistTensor& tensor : run.tensors) {
        const RecordSummary& summary = tensor.records[record];
        csv += fmt::format("{},{},{},{},{},{}", run_letter(r), run.steps[record], quoted(tensor.tensor.name),
                           tensor.tensor.kind, tensor.tensor.depth, tensor.tensor.stage);
        for (const double quantile : summary.quantiles) csv += "," + cell(quantile);
        csv += fmt::format(",{},{},{},{},{},{}\n", cell(summary.zero_share), summary.non_finite,
                           cell(summary.stats.mean), cell(summary.stats.max), cell(summary.stats.l2),
                           cell(summary.stats.update_ratio));
      }
    }
  }
  return csv;
}

std::string grid_csv(const HistView& view) {
  std::string csv = "run,rows,tensor,low,high,share\n";
  const double width = 2 * view.signed_axis.range / view.signed_axis.bins;
  for (size_t r = 0; r < view.runs.size(); ++r) {
    for (size_t row = 0; row < view.row_names.size(); ++row) {
      const StepSpan& steps = view.runs[r].rows[row];
      for (const std::vector<size_t>& block : view.blocks) {
        for (const size_t i : block) {
          const HistTensor& tensor = view.runs[r].tensors[i];
          const std::vector<double> shares = grid_shares(view, tensor, row);
          for (size_t b = 0; b < shares.size(); ++b) {
            const double low = -view.signed_axis.range + width * static_cast<double>(b);
            csv += fmt::format("{},{}-{},{},{},{},{}\n", run_letter(r), steps.first, steps.last,
                               quoted(tensor.tensor.name), cell(low), cell(low + width), cell(shares[b]));
          }
        }
      }
    }
  }
  return csv;
}

}  // namespace cpm
