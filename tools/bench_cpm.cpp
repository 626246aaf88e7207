// bench_cpm: times the whole network: a forward pass without a tape, and a training step with Adam. Weights
// and input are filled by name (engine/nn/named_fill.h), so other implementations can time the same numbers.
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <sstream>

#include "cpm/device.h"
#include "cpm/named_batch.h"
#include "cpm/step_runner.h"
#include "engine/nn/named_fill.h"
#include "engine/optim/optimizer.h"
#include "engine/tune/sample_stats.h"
#include "kernels/base/fma_peak.h"
#include "tools/cli.h"
#include "tools/conv_selection.h"
#include "tools/json_text.h"

namespace {

struct Flags {
  std::optional<int64_t> size, batch, k, stages, samples, threads;
  std::optional<double> width;
  std::string mode = "forward,step", device = "auto";
  std::optional<std::string> algo;
  bool json = false, no_cuda_graph = false, no_deterministic = false;
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
  for (std::string word; std::getline(list, word, ',');) {
    tools::require_usage(word == "forward" || word == "step", "--mode", "unknown mode",
                         "forward, step or both", word);
    (word == "forward" ? s.forward : s.step) = true;
  }
  tools::require_usage(s.forward || s.step, "--mode", "no mode", "forward, step or both", f.mode);
  return s;
}

/// A plan that names one row for every convolution of a step; empty without a name.
std::map<std::string, std::string> plan_with(const std::optional<std::string>& row, cpm::Model& model,
                                             const kernels::Exec& exec, const cpm::BatchTensors& batch) {
  if (!row) return {};
  tools::find_row("--algo", *row, exec.backend);
  cpm::StepRunner dry(model, exec);
  dry.measure(batch, true, true);
  std::map<std::string, std::string> plan = dry.plan().chosen();
  for (auto& [problem, name] : plan) name = *row;
  return plan;
}

/// Follows such a plan; says how many convolutions the row does, and refuses to time it if there are none.
void follow(const std::map<std::string, std::string>& plan, const cpm::BatchTensors& batch, bool training,
            cpm::StepRunner* runner) {
  if (plan.empty()) return;
  const std::string row = plan.begin()->second;
  runner->plan().follow(plan, [](const std::string& text) { fmt::print(stderr, "warning: {}\n", text); });
  runner->prepare(batch, true, training);
  const auto& lines = runner->plan().lines();
  const auto done =
      std::count_if(lines.begin(), lines.end(), [&](const auto& line) { return line.row == row; });
  if (done > 0) return fmt::print(stderr, "{}: {} of {} convolutions\n", row, done, lines.size());
  throw kernels::Error(kernels::ExitCode::DeviceUnavailable, {.where = "--algo",
                                                              .what = "no convolution can run by this row",
                                                              .expected = "a row that runs here",
                                                              .got = row,
                                                              .hint = "the warnings say why"});
}

/// Untimed calls, then `samples` timed ones, each reported on stderr. A device loads its kernels in the first
/// step and records it in the second.
template <class Body>
std::vector<double> time_calls(const std::string& name, int untimed, int samples, const Body& body) {
  for (int i = 0; i < untimed; ++i) body();
  std::vector<double> seconds;
  for (int i = 0; i < samples; ++i) {
    const auto start = std::chrono::steady_clock::now();
    body();
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    fmt::print(stderr, "{} {}/{}: {:.4f} s\n", name, i + 1, samples, seconds.back());
  }
  return seconds;
}

std::string timing_json(const std::vector<double>& all) {
  tools::JsonObject json;
  const engine::SampleStats stats = engine::sample_stats(all);
  json.add("median", stats.median);
  json.add("min", stats.min);
  json.add("all", all);
  return json.text();
}

void print_timing(const std::string& name, const std::vector<double>& all) {
  const engine::SampleStats stats = engine::sample_stats(all);
  fmt::print("{:<8} median {:.4f} s, minimum {:.4f} s, {} samples\n", name, stats.median, stats.min,
             all.size());
}

double peak_rss_mb() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024.0;
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
  cli->flag("--no-deterministic", &f->no_deterministic,
            "also algorithms of cuDNN whose results vary from run to run");
  cli->option("--samples", &f->samples, "N", "timed calls of each (default 5)");
  cli->option("--threads", &f->threads, "N", "threads (default: all processors)");
  cli->flag("--no-cuda-graph", &f->no_cuda_graph,
            "launch every kernel of a step instead of replaying a recording");
  cli->flag("--json", &f->json, "one JSON object on stdout");
}

int run(int argc, char** argv) {
  tools::Cli cli("bench_cpm", "Times a CPM's forward pass and training step (Adam).");
  Flags f;
  declare(&cli, &f);
  if (!cli.parse(argc, argv)) return 0;
  const Setup s = resolve(f);
  const cpm::Device device = cpm::open_device(f.device, f.threads.value_or(0), !f.no_deterministic);
  cpm::Model model({.stages = s.stages, .joints = s.joints, .width = s.width}, engine::DType::F32,
                   device.place());
  engine::named_fill(model.parameters(), "golden");
  const cpm::BatchTensors batch =
      cpm::to_tensors(cpm::named_batch(s.batch, s.joints, s.size, s.size), engine::DType::F32);
  const auto plan = plan_with(f.algo, model, device.exec, batch);

  tools::JsonObject json;
  if (s.forward) {
    cpm::StepRunner runner(model, device.exec);
    follow(plan, batch, false, &runner);
    const auto seconds = time_calls("forward", 1, s.samples, [&] { runner.beliefs(batch); });
    if (!f.json) print_timing("forward", seconds);
    json.add_raw("forward", timing_json(seconds));
  }
  std::vector<double> losses;
  if (s.step) {
    cpm::StepRunner runner(model, device.exec, !f.no_cuda_graph);
    follow(plan, batch, true, &runner);
    engine::Optimizer adam(model.parameters(), {},
                           std::vector<engine::ParameterScale>(model.parameters().all().size()));
    const int untimed = device.exec.backend == kernels::Backend::Cpu ? 1 : 2;
    const auto seconds = time_calls("step", untimed, s.samples, [&] {
      runner.upload(batch);
      runner.launch({.optimizer = &adam, .lr = 1e-5});
      losses.push_back(runner.wait().loss);
    });
    if (!f.json) print_timing("step", seconds);
    json.add_raw("step", timing_json(seconds));
    losses.erase(losses.begin(), losses.begin() + untimed);
  }
  json.add("peak_rss_mb", peak_rss_mb());
  const double peak = kernels::measure_fma_peak_gflops(device.exec);
  json.add("peak_gflops", peak);
  json.add("losses", losses);
  json.add("threads", device.threads->size());
  json.add("isa", kernels::isa_name(device.exec.isa));
  if (f.json) {
    fmt::print("{}\n", json.text());
  } else {
    fmt::print("peak resident memory {:.0f} MB, FMA peak {:.0f} GFLOP/s on {}\n", peak_rss_mb(), peak,
               device.description());
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return tools::run_main([&] { return run(argc, argv); });
}
