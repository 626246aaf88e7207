#include "cpm/train_events.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "cpm/metrics_text.h"
#include "engine/io/file.h"

namespace cpm {

namespace {

constexpr int64_t kDenseSteps = 10000, kDenseRecords = 200;
constexpr uint64_t kMostPictureBytes = uint64_t{64} << 20;

/// "loss_stage2" -> "loss/stage2": what stands before the slash is a group of charts. Empty for columns that
/// are no chart.
std::string tag_of(const std::string& column) {
  const auto stage = [&](const std::string& prefix) { return column.rfind(prefix + "_stage", 0) == 0; };
  if (column == "loss") return "loss/total";
  if (stage("loss")) return "loss/" + column.substr(5);
  if (stage("dead")) return "dead_plateau/" + column.substr(5);
  if (column == "step" || column == "samples" || column == "seconds") return "";
  return "train/" + column;
}

/// Bins of log10 |g| from the first to the last that is not empty; no counts where all are.
engine::EventHistogram log10_histogram(const GradRow& row) {
  constexpr int kBins = kernels::LogHistogram::kBins;
  engine::EventHistogram histogram;
  const auto count = [&](int bin) {
    const auto b = static_cast<size_t>(bin);
    return static_cast<double>(row.counts[kBins - 1 - b] + row.counts[kBins + b]);
  };
  int first = 0, end = kBins;
  while (first < end && count(first) == 0) ++first;
  while (first < end && count(end - 1) == 0) --end;
  for (int bin = first; bin < end; ++bin) histogram.counts.push_back(count(bin));
  for (int bin = first; bin <= end; ++bin) histogram.edges.push_back(std::log10(kernels::log_bin_edge(bin)));
  return histogram;
}

}  // namespace

TrainEvents::TrainEvents(const std::filesystem::path& run, const EventStart& start, int64_t every,
                         std::function<void(const std::string&)> warn)
    : file_(run),
      every_(every),
      warn_(std::move(warn)),
      samples_(static_cast<double>(start.samples)),
      seconds_(start.seconds) {
  if (start.resumed) file_.restart(start.step + 1);
}

void TrainEvents::metrics(const MetricsRow& row) {
  const bool told = every_ > 0 ? row.step % every_ == 0 : wanted(row.step, kDenseSteps);
  if (!told) return;
  const Cells columns = metrics_columns(static_cast<int>(row.stage_losses.size()));
  const std::vector<double> numbers = parse_row(metrics_cells(row), columns.size()).value();
  engine::EventSummary summary;
  double samples = 0, seconds = 0;
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i] == "samples") samples = numbers[i];
    if (columns[i] == "seconds") seconds = numbers[i];
    const std::string tag = tag_of(columns[i]);
    if (!tag.empty() && std::isfinite(numbers[i])) summary.scalar(tag, numbers[i]);
  }
  if (seconds > seconds_)
    summary.scalar("train/images_per_second", (samples - samples_) / (seconds - seconds_));
  samples_ = samples;
  seconds_ = seconds;
  write(row.step, summary);
}

void TrainEvents::gradients(int64_t record, int64_t step, const std::vector<GradTensor>& tensors,
                            const std::vector<GradRow>& rows) {
  if (!wanted(record, kDenseRecords)) return;
  engine::EventSummary summary;
  for (size_t i = 0; i < rows.size(); ++i) {
    const std::string& name = tensors[i].name;
    const engine::EventHistogram histogram = log10_histogram(rows[i]);
    if (!histogram.counts.empty()) summary.histogram("grad_log10/" + name, histogram);
    for (size_t kind = 0; kind < GradRow::kSpecials.size(); ++kind) {
      const uint64_t count = rows[i].special[kind];
      if (count == 0) continue;
      summary.scalar(fmt::format("grad_{}/{}", GradRow::kSpecials[kind], name), static_cast<double>(count));
    }
  }
  write(step, summary);
}

void TrainEvents::validation(int64_t step, const JointSchema& schema, const Score& result,
                             const std::filesystem::path& picture) {
  engine::EventSummary summary;
  summary.scalar("validation/pck", result.mean);
  for (size_t j = 0; j < result.per_joint.size(); ++j) {
    if (result.per_joint_count[j] == 0) continue;
    summary.scalar("validation_joint/" + schema.names[j], result.per_joint[j]);
  }
  try {
    summary.image("validation/overlay", engine::read_file(picture, kMostPictureBytes));
  } catch (const kernels::Error&) {
    // The scores are told without it.
  }
  write(step, summary);
}

void TrainEvents::write(int64_t step, const engine::EventSummary& summary) {
  const std::string failure = file_.append(step, summary);
  if (!failure.empty() && !failing_) {
    warn_(fmt::format("{}: what TensorBoard is told from step {} on is lost: {}", file_.path().string(), step,
                      failure));
  }
  failing_ = !failure.empty();
}

}  // namespace cpm
