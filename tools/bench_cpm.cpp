// bench_cpm: times the whole network: a forward pass without a tape, and a training step with Adam. Weights
// and input are filled by name (engine/nn/named_fill.h), so other implementations can time the same numbers.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <sstream>

#include "cpm/device.h"
#include "cpm/grad_row.h"
#include "cpm/named_batch.h"
#include "cpm/step_runner.h"
#include "engine/io/conv_cache.h"
#include "engine/nn/named_fill.h"
#include "engine/optim/optimizer.h"
#include "engine/tune/process_usage.h"
#include "engine/tune/sample_stats.h"
#include "kernels/base/fma_peak.h"
#include "tools/cli.h"
#include "tools/conv_selection.h"
#include "tools/json_text.h"
#include "tools/on_request.h"

namespace {

struct Flags {
  std::optional<int64_t> size, batch, k, stages, samples, threads;
  std::optional<double> width;
  std::string mode = "forward,step", device = "auto";
  std::optional<std::string> algo;
  bool json = false, on_request = false, no_cuda_graph = false, no_deterministic = false, tune = false;
  bool grad_hist = false;
};

struct Setup {
  int size = 368, batch = 1, joints = 14, stages = 6, samples = 5;
  double width = 1;
  bool forward = false, step = false;
};

int ranged(const std::optional<int64_t>& value, int fallback, const std::string& flag, int most) {
  const int64_t v = value.value_or(fallback);
  tools::require_usage(v >= 1 && v <= most, flag, "out of range", fmt::format("1 to {}", most),
                       std::to_string(v));
  return static_cast<int>(v);
}

Setup resolve(const Flags& f) {
  Setup s;
  s.size = ranged(f.size, s.size, "--size", 4096);
  s.batch = ranged(f.batch, s.batch, "--batch", 1024);
  s.joints = ranged(f.k, s.joints, "--k", 1000);
  s.stages = ranged(f.stages, s.stages, "--stages", 6);
  s.samples = ranged(f.samples, s.samples, "--samples", 100000);
  s.width = f.width.value_or(1);
  tools::require_usage(s.size % 8 == 0, "--size", "not a multiple of 8", "8, 16, ... 368",
                       std::to_string(s.size));
  tools::require_usage(s.width > 0 && s.width <= 4, "--width", "out of range", "above 0, at most 4",
                       fmt::format("{:g}", s.width));
  std::istringstream list(f.mode);
  for (std::string word; std::getline(list, word, ',');) (word == "forward" ? s.forward : s.step) = true;
  tools::require_usage(!f.tune || !f.algo, "--tune", "the row is named by --algo", "one of the two", "both");
  tools::require_usage(s.forward || s.step, "--mode", "no mode", "forward, step or both", f.mode);
  return s;
}

using Plan = std::map<std::string, std::string>;

void warn(const std::string& text) {
  fmt::print(stderr, "warning: {}\n", text);
}

/// The convolutions of a step, or of a forward pass alone.
std::vector<engine::PlannedConv> convolutions(cpm::Model& model, const kernels::Exec& exec,
                                              const cpm::BatchTensors& batch, bool training) {
  cpm::StepRunner dry(model, exec);
  dry.measure(batch, {}, training);
  return dry.plan().lines();
}

/// A plan that names one row for every convolution.
Plan plan_with(const std::string& row, const std::vector<engine::PlannedConv>& lines,
               kernels::Backend backend) {
  tools::find_row("--algo", row, backend);
  Plan plan;
  for (const auto& line : lines) plan[engine::ConvPlan::key(line.problem, line.direction)] = row;
  return plan;
}

/// The plan of --tune or --algo; empty: the fixed rule's.
Plan plan_of(const Flags& f, const Setup& s, cpm::Model& model, const kernels::Exec& exec,
             const cpm::BatchTensors& batch) {
  if (!f.tune && !f.algo) return {};
  std::vector<engine::PlannedConv> lines;
  for (const bool training : {false, true}) {
    if (!(training ? s.step : s.forward)) continue;
    const auto more = convolutions(model, exec, batch, training);
    lines.insert(lines.end(), more.begin(), more.end());
  }
  if (f.algo) return plan_with(*f.algo, lines, exec.backend);
  const auto say = [](const std::string& text) { fmt::print(stderr, "{}\n", text); };
  return engine::tune_with_cache(exec, lines, {.say = say}, engine::cache_folder(), warn);
}

/// Follows such a plan: says how many convolutions each row does, and refuses to time --algo's if it does
/// none.
void follow(const Plan& plan, const std::optional<std::string>& algo, const cpm::BatchTensors& batch,
            bool training, cpm::StepRunner* runner) {
  if (plan.empty()) return;
  runner->follow(plan, warn);
  runner->prepare(batch, {}, training);
  std::map<std::string, int> counts;
  for (const auto& line : runner->plan().lines()) ++counts[line.row];
  if (algo && counts.count(*algo) == 0) {
    throw kernels::Error(kernels::ExitCode::DeviceUnavailable, {.where = "--algo",
                                                                .what = "no convolution can run by this row",
                                                                .expected = "a row that runs here",
                                                                .got = *algo,
                                                                .hint = "the warnings say why"});
  }
  for (const auto& [row, count] : counts) {
    fmt::print(stderr, "{}: {} of {} convolutions\n", row, count, runner->plan().lines().size());
  }
}

/// A call's time, and what it computed.
struct Sample {
  double seconds = 0, busy = 0;  // busy: (user + system) / wall a thread
  cpm::StepResult result;        // of a step
};

/// The network on a batch, ready to be called. One runner at a time: a forward pass and a step need memory of
/// their own.
class Bench {
 public:
  Bench(const Flags& f, const Setup& s)
      : flags_(f),
        device_(cpm::open_device(f.device, f.threads.value_or(0), !f.no_deterministic)),
        model_({.stages = s.stages, .joints = s.joints, .width = s.width}, engine::DType::F32,
               device_.place()) {
    engine::named_fill(model_.parameters(), "golden");
    batch_ = cpm::to_tensors(cpm::named_batch(s.batch, s.joints, s.size, s.size), engine::DType::F32);
    plan_ = plan_of(f, s, model_, device_.exec, batch_);
  }

  /// count: a step that also counts its gradients, until their counts are in a record's rows.
  Sample sample(bool step, bool count = false) {
    prepare(step);
    Sample sample;
    const double used = engine::processor_seconds();
    const auto start = std::chrono::steady_clock::now();
    if (step) {
      runner_->upload(batch_);
      runner_->launch({.optimizer = adam_.get(), .lr = 1e-5, .collect = count});
      sample.result = runner_->wait();
      if (count) add_row();
    } else {
      runner_->beliefs(batch_);
    }
    sample.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const double busy = (engine::processor_seconds() - used) / sample.seconds;
    sample.busy = busy / device_.threads->size();
    return sample;
  }

  /// Of each stage's maps about `most` elements, evenly spaced.
  std::vector<std::vector<double>> maps(size_t most) {
    prepare(false);
    std::vector<std::vector<double>> stages;
    for (const std::vector<float>& all : runner_->beliefs(batch_)) {
      std::vector<double>& some = stages.emplace_back();
      for (size_t i = 0; i < all.size(); i += (all.size() + most - 1) / most) some.push_back(all[i]);
    }
    return stages;
  }

  const cpm::Device& device() const { return device_; }

 private:
  void prepare(bool step) {
    if (runner_ && step == (adam_ != nullptr)) return;
    runner_.reset();
    runner_ = std::make_unique<cpm::StepRunner>(model_, device_.exec, !flags_.no_cuda_graph);
    follow(plan_, flags_.algo, batch_, step, runner_.get());
    if (flags_.grad_hist) runner_->collect({});
    adam_.reset();
    if (!step) return;
    adam_ = std::make_unique<engine::Optimizer>(
        model_.parameters(), engine::OptimizerOptions{},
        std::vector<engine::ParameterScale>(model_.parameters().all().size()));
  }

  void add_row() {
    const std::vector<cpm::GradCounts> counts = runner_->collected();
    rows_.assign(counts.size(), {});
    for (size_t i = 0; i < counts.size(); ++i) rows_[i].add(counts[i]);
  }

  Flags flags_;
  cpm::Device device_;
  cpm::Model model_;
  cpm::BatchTensors batch_;
  Plan plan_;
  std::unique_ptr<cpm::StepRunner> runner_;
  std::unique_ptr<engine::Optimizer> adam_;  // while the runner runs steps
  std::vector<cpm::GradRow> rows_;           // of the step that counted last
};

/// Untimed calls, then `samples` timed ones, each reported on stderr. A device loads its kernels in the first
/// step and records it in the second.
std::vector<Sample> time_calls(Bench* bench, bool step, int samples) {
  const bool cpu = bench->device().exec.backend == kernels::Backend::Cpu;
  for (int untimed = step && !cpu ? 2 : 1; untimed > 0; --untimed) bench->sample(step);
  std::vector<Sample> all;
  for (int i = 0; i < samples; ++i) {
    all.push_back(bench->sample(step));
    fmt::print(stderr, "{} {}/{}: {:.4f} s\n", step ? "step" : "forward", i + 1, samples, all.back().seconds);
  }
  return all;
}

/// The same for steps with and without counted gradients, in turns.
std::pair<std::vector<Sample>, std::vector<Sample>> time_counting(Bench* bench, int samples) {
  std::pair<std::vector<Sample>, std::vector<Sample>> all;
  for (int untimed = 0; untimed < 2; ++untimed) {
    for (const bool count : {false, true}) bench->sample(true, count);
  }
  for (int i = 0; i < samples; ++i) {
    // Either goes first in turn: what the first leaves in the caches helps nobody for long.
    for (const bool count : {i % 2 == 0, i % 2 != 0}) {
      (count ? all.second : all.first).push_back(bench->sample(true, count));
    }
    fmt::print(stderr, "step {}/{}: {:.4f} s, counting {:.4f} s\n", i + 1, samples, all.first.back().seconds,
               all.second.back().seconds);
  }
  return all;
}

template <class Get>
std::vector<double> each(const std::vector<Sample>& samples, const Get& get) {
  std::vector<double> values;
  for (const Sample& sample : samples) values.push_back(get(sample));
  return values;
}

std::string timing_json(const std::vector<Sample>& samples) {
  tools::JsonObject json;
  const std::vector<double> all = each(samples, [](const Sample& s) { return s.seconds; });
  const engine::SampleStats stats = engine::sample_stats(all);
  json.add("median", stats.median);
  json.add("min", stats.min);
  json.add("all", all);
  json.add("busy", each(samples, [](const Sample& s) { return s.busy; }));
  return json.text();
}

void print_timing(const std::string& name, const std::vector<Sample>& samples) {
  const engine::SampleStats stats = engine::sample_stats(each(samples, [](auto& s) { return s.seconds; }));
  const engine::SampleStats busy = engine::sample_stats(each(samples, [](auto& s) { return s.busy; }));
  fmt::print(
      "{:<8} median {:.4f} s, minimum {:.4f} s, {} samples, (user + system) / wall {:.2f} to {:.2f} a "
      "thread\n",
      name, stats.median, stats.min, samples.size(), busy.min, busy.max);
}

/// What counting costs: the median difference of a turn's two steps over the median step without.
void report_counting(Bench* bench, const Setup& s, bool text, tools::JsonObject* json) {
  const auto [plain, counting] = time_counting(bench, s.samples);
  std::vector<double> more;
  for (size_t i = 0; i < plain.size(); ++i) more.push_back(counting[i].seconds - plain[i].seconds);
  const double median = engine::sample_stats(each(plain, [](auto& one) { return one.seconds; })).median;
  const double share = engine::sample_stats(more).median / median;
  if (text) {
    print_timing("step", plain);
    print_timing("counting", counting);
    fmt::print("counting gradients adds {:.2f} % to a step\n", 100 * share);
  }
  json->add_raw("step_plain", timing_json(plain));
  json->add_raw("step_grad_hist", timing_json(counting));
  json->add("grad_hist_share", share);
}

std::string machine_json(const cpm::Device& device) {
  tools::JsonObject json;
  json.add("device", device.description());
  json.add("threads", device.threads->size());
  json.add("isa", kernels::isa_name(device.exec.isa));
  json.add("peak_gflops", kernels::measure_fma_peak_gflops(device.exec));
  return json.text();
}

std::string answer(Bench* bench, const std::string& request) {
  constexpr size_t kMapElements = 1024;
  tools::JsonObject json;
  if (request == "maps") {
    int stage = 0;
    for (const std::vector<double>& some : bench->maps(kMapElements)) {
      json.add(fmt::format("stage{}", ++stage), some);
    }
    return json.text();
  }
  tools::require_usage(request == "forward" || request == "step", "standard input", "unknown request",
                       "forward, step or maps", request);
  const Sample sample = bench->sample(request == "step");
  json.add("seconds", sample.seconds);
  json.add("busy", sample.busy);
  json.add("peak_rss_mb", engine::peak_resident_mb());
  if (request == "step") {
    json.add("loss", sample.result.loss);
    json.add("grad_norm", sample.result.grad_norm);
  }
  return json.text();
}

void declare(tools::Cli* cli, Flags* f) {
  cli->option("--size", &f->size, "N", "input side in pixels (default 368)");
  cli->option("--batch", &f->batch, "N", "images (default 1)");
  cli->option("--k", &f->k, "N", "joints (default 14)");
  cli->option("--stages", &f->stages, "N", "1 to 6 (default 6)");
  cli->option("--width", &f->width, "W", "multiplies inner channel counts (default 1)");
  cli->option("--mode", &f->mode, "LIST", "forward, step or both (default forward,step)");
  cli->option("--device", &f->device, "DEVICE", "auto, cpu, cuda or cuda:N (default auto)");
  cli->option("--algo", &f->algo, "ROW",
              "the row of every convolution that it can do, as cudnn.best (default: the fixed rule's)");
  cli->flag("--tune", &f->tune, "time the rows of every convolution once, run by the quickest");
  cli->flag("--no-deterministic", &f->no_deterministic,
            "also algorithms of cuDNN whose results vary from run to run");
  cli->flag(
      "--grad-hist", &f->grad_hist,
      "besides, steps that count their gradients (cpm-train --grad-hist 1) in turns with some that do not");
  cli->option("--samples", &f->samples, "N", "timed calls of each (default 5)");
  cli->option("--threads", &f->threads, "N", "threads (default: all processors)");
  cli->flag("--no-cuda-graph", &f->no_cuda_graph,
            "launch every kernel of a step instead of replaying a recording");
  cli->flag("--json", &f->json, "one JSON object on stdout");
  cli->flag(
      "--on-request", &f->on_request,
      "a JSON line about the machine; then every line of stdin is answered by another: forward and step "
      "by one timed call, maps by some elements of each stage's belief maps. The first calls of a kind "
      "take longer");
  cli->choices("--mode", tools::to_words({"forward", "step"}));
  cli->words("--algo", tools::conv_row_words());
}

int run(int argc, char** argv) {
  tools::Cli cli("bench_cpm", "Times a CPM's forward pass and training step (Adam).");
  Flags f;
  declare(&cli, &f);
  if (!cli.parse(argc, argv)) return 0;
  const Setup s = resolve(f);
  Bench bench(f, s);
  if (f.on_request) {
    tools::answer_requests(machine_json(bench.device()),
                           [&](const std::string& request) { return answer(&bench, request); });
    return 0;
  }
  tools::JsonObject json;
  std::vector<double> losses;
  for (const bool step : {false, true}) {
    if (!(step ? s.step : s.forward)) continue;
    const std::vector<Sample> samples = time_calls(&bench, step, s.samples);
    const char* const name = step ? "step" : "forward";
    if (!f.json) print_timing(name, samples);
    json.add_raw(name, timing_json(samples));
    if (step) losses = each(samples, [](const Sample& sample) { return sample.result.loss; });
  }
  if (f.grad_hist) report_counting(&bench, s, !f.json, &json);
  const double resident = engine::peak_resident_mb();
  const cpm::Device& device = bench.device();
  const double peak = kernels::measure_fma_peak_gflops(device.exec);
  json.add("peak_rss_mb", resident);
  json.add("peak_gflops", peak);
  json.add("losses", losses);
  json.add("threads", device.threads->size());
  json.add("isa", kernels::isa_name(device.exec.isa));
  if (f.json) {
    fmt::print("{}\n", json.text());
  } else {
    fmt::print("peak resident memory {:.0f} MB, FMA peak {:.0f} GFLOP/s on {}\n", resident, peak,
               device.description());
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return tools::run_main([&] { return run(argc, argv); });
}
