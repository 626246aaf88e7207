#include "engine/tune/conv_bench.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "engine/runtime/context.h"
#include "engine/tune/conv_check.h"
#include "engine/tune/conv_data.h"
#include "engine/tune/process_usage.h"
#include "kernels/base/event_timer.h"

namespace engine {

using kernels::Backend;
using kernels::ConvProblem;
using kernels::ConvRow;
using kernels::DeviceMemory;
using kernels::Direction;
using kernels::Exec;

namespace {

constexpr double kQuiet = 0.95;      // busy processors a thread
constexpr double kShortest = 0.02;   // seconds of a sample: short calls are repeated
constexpr int kMostCalls = 100'000;  // in one sample
constexpr int kTries = 3;            // samples tried for one that is wanted
constexpr int kEnough = 3;           // quiet samples that make statistics of their own

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// One problem and direction: operands, workspace, and what the rows' results were.
class Bench {
 public:
  Bench(const Exec& exec, const ConvProblem& problem, Direction direction, const ConvBenchOptions& options)
      : exec_(exec),
        problem_(problem),
        direction_(direction),
        options_(options),
        data_(exec, problem, direction, options.seed),
        check_(*exec.threads, problem, direction, data_.host(), options.seed),
        timer_(exec) {}

  std::vector<ConvBenchResult> run(std::span<const ConvRow<float>* const> rows,
                                   const ConvRow<float>* reference) {
    reserve_workspace(rows);
    for (const ConvRow<float>* row : rows) results_.push_back(check(*row));
    if (options_.time) {
      sample_in_turns();
      for (ConvBenchResult& result : results_) summarise(result);
      for (const ConvBenchResult& result : results_) {
        if (result.row == reference) set_ratios(result);
      }
    }
    return std::move(results_);
  }

 private:
  void reserve_workspace(std::span<const ConvRow<float>* const> rows) {
    size_t most = 0;
    for (const ConvRow<float>* row : rows) most = std::max(most, row->workspace(exec_, problem_, direction_));
    kernels::DeviceRuntime& runtime = kernels::device_runtime(exec_.backend);
    workspace_ = DeviceMemory(exec_, most);
    runtime.zero(exec_, workspace_.data(), most);  // touches every page before anything is timed
    if (exec_.backend == Backend::Cpu || !options_.time) return;
    flushed_ = DeviceMemory(exec_, 2 * std::max<size_t>(runtime.device_info(exec_.device).l2_cache, 1 << 20));
  }

  void call(const ConvRow<float>& row) {
    const Exec exec = with_workspace(exec_, workspace_.data(), row.workspace(exec_, problem_, direction_));
    row.run(exec, problem_, direction_, data_.operands(), kernels::GradMode::Overwrite);
  }

  ConvBenchResult check(const ConvRow<float>& row) {
    data_.poison_output();
    call(row);
    ConvBenchResult result{.row = &row};
    result.error = check_.error({data_.fetch_output(), static_cast<size_t>(data_.output_size())});
    result.error_bound = check_.bound();
    if (row.detail != nullptr) result.detail = row.detail(exec_, problem_, direction_);
    result.workspace = row.workspace(exec_, problem_, direction_);
    result.effective_flops = 2 * problem_.macs();
    result.executed_flops = row.executed_flops == nullptr ? result.effective_flops
                                                          : row.executed_flops(exec_, problem_, direction_);
    result.bytes = 4.0 * static_cast<double>(problem_.x_size() + problem_.w_size() + problem_.y_size());
    return result;
  }

  /// The call of the check ran on cold code and memory; this one says how many make a sample.
  void warm_up(ConvBenchResult& result) {
    const double seconds = timer_.time([&] { call(*result.row); });
    result.calls = static_cast<int>(std::clamp(std::ceil(kShortest / seconds), 1.0, double{kMostCalls}));
  }

  void sample_on_cpu(ConvBenchResult& result) {
    const double used = processor_seconds();
    const double seconds = timer_.time([&] {
      for (int i = 0; i < result.calls; ++i) call(*result.row);
    });
    const double busy = (processor_seconds() - used) / seconds / exec_.threads->size();
    result.samples.seconds.push_back(seconds / result.calls);
    result.samples.busy.push_back(busy);
    result.samples.quiet.push_back(busy >= kQuiet);
  }

  void sample_on_device(ConvBenchResult& result) {
    kernels::DeviceRuntime& runtime = kernels::device_runtime(exec_.backend);
    runtime.zero(exec_, flushed_.data(), flushed_.bytes());
    result.samples.seconds.push_back(timer_.time([&] { call(*result.row); }));
    result.samples.busy.push_back(1);
    result.samples.quiet.push_back(true);
  }

  void sample_in_turns() {
    const double start = now(), limit = options_.seconds * static_cast<double>(results_.size());
    for (ConvBenchResult& result : results_) {
      if (result.right()) warm_up(result);
    }
    for (int round = 0; round < kTries * options_.samples; ++round) {
      bool wanted = false;
      for (const ConvBenchResult& result : results_) {
        wanted = wanted || (result.right() && result.samples.kept() < options_.samples);
      }
      if (!wanted || (round > 0 && now() - start > limit)) break;
      for (ConvBenchResult& result : results_) {
        if (!result.right()) continue;
        exec_.backend == Backend::Cpu ? sample_on_cpu(result) : sample_on_device(result);
      }
    }
    if (exec_.backend == Backend::Cpu) return;
    for (ConvBenchResult& result : results_) {
      if (result.right()) result.warm_median = warm_median(result);
    }
  }

  double warm_median(const ConvBenchResult& result) {
    std::vector<double> seconds;
    for (int i = 0; i < options_.samples; ++i) {
      seconds.push_back(timer_.time([&] {
        for (int j = 0; j < result.calls; ++j) call(*result.row);
      }) / result.calls);
    }
    return sample_stats(seconds).median;
  }

  static bool counts(const ConvBenchResult& result, size_t round) {
    return !result.enough_quiet || result.samples.quiet[round];
  }

  static void summarise(ConvBenchResult& result) {
    if (!result.right()) return;
    result.enough_quiet =
        result.samples.kept() >= std::min<int>(kEnough, static_cast<int>(result.samples.quiet.size()));
    std::vector<double> used;
    for (size_t i = 0; i < result.samples.seconds.size(); ++i) {
      if (counts(result, i)) used.push_back(result.samples.seconds[i]);
    }
    result.stats = sample_stats(used);
  }

  void set_ratios(const ConvBenchResult& reference) {
    if (!reference.stats) return;
    for (ConvBenchResult& result : results_) {
      if (!result.stats) continue;
      result.ratio = reference.stats->median / result.stats->median;
      std::vector<double> rounds;
      for (size_t i = 0; i < result.samples.seconds.size(); ++i) {
        if (counts(result, i) && counts(reference, i)) {
          rounds.push_back(reference.samples.seconds[i] / result.samples.seconds[i]);
        }
      }
      if (rounds.empty()) continue;
      const SampleStats spread = sample_stats(rounds);
      result.ratio_low = spread.min;
      result.ratio_high = spread.max;
    }
  }

  Exec exec_;
  ConvProblem problem_;
  Direction direction_;
  ConvBenchOptions options_;
  ConvData data_;
  ConvCheck check_;
  kernels::EventTimer timer_;
  DeviceMemory workspace_, flushed_;
  std::vector<ConvBenchResult> results_;
};

}  // namespace

int ConvSamples::kept() const {
  return static_cast<int>(std::count(quiet.begin(), quiet.end(), true));
}

std::vector<ConvBenchResult> bench_conv(const Exec& exec, const ConvProblem& problem, Direction direction,
                                        std::span<const ConvRow<float>* const> rows,
                                        const ConvRow<float>* reference, const ConvBenchOptions& options) {
  return Bench(exec, problem, direction, options).run(rows, reference);
}

}  // namespace engine
