// cpm-train: trains a Convolutional Pose Machine. Everything happens in cpm/trainer.cpp; here flags become a
// request.
#include <fmt/format.h>

#include <filesystem>

#include "cpm/dataset/spec.h"
#include "cpm/run_dir.h"
#include "cpm/trainer.h"
#include "cpm/validations.h"
#include "tools/cli.h"
#include "tools/json_text.h"

namespace {

struct Flags {
  std::optional<std::string> data, val, config, out, device, weights, resume, precision;
  std::optional<int64_t> steps, batch, seed, threads, checkpoint_every, grad_hist;
  std::optional<double> epochs;
  std::vector<std::string> set;
  bool no_supervision = false, deterministic = false, no_cuda_graph = false, tune = false;
  bool print_config = false, json = false;
};

/// "optim.name=" with its help, then "optim.name=adam" ...
std::vector<tools::CliWord> assignments() {
  std::vector<tools::CliWord> words;
  for (const cpm::ConfigKey& key : cpm::config_keys()) {
    words.push_back({key.key + "=", fmt::format("{}; default {}", key.help, key.default_value)});
    for (const std::string& choice : key.choices) words.push_back({key.key + "=" + choice});
  }
  return words;
}

void declare(tools::Cli* cli, Flags* f) {
  cli->option("--data", &f->data, "SPEC",
              "training data: synthetic[:N], coco:FILE.json,IMAGE_DIR, mpii:FILE.json,IMAGE_DIR, "
              "lsp:JOINTS.mat,IMAGE_DIR or raw:FILE, each with ,FIRST-LAST");
  cli->option("--val", &f->val, "SPEC", "validation data, for PCK@0.2 and pictures");
  cli->option("--config", &f->config, "FILE", "TOML configuration (--print-config shows every key)");
  cli->repeated("--set", &f->set, "KEY=VALUE",
                "one configuration key, e.g. --set model.stages=3; repeatable");
  cli->option("--out", &f->out, "DIR", "run directory (default: runs/<name>-NNN)");
  cli->option("--device", &f->device, "DEVICE", "auto, cpu, cuda or cuda:N (default auto)");
  cli->option("--steps", &f->steps, "N", "steps to make in all");
  cli->option("--epochs", &f->epochs, "N", "epochs to make in all (default 10), unless --steps");
  cli->option("--batch", &f->batch, "N", "images a step (default 16)");
  cli->option("--seed", &f->seed, "N", "seed of weights, order and augmentation (default 0)");
  cli->option("--threads", &f->threads, "N", "threads (default 0: all processors); never changes results");
  cli->option("--weights", &f->weights, "FILE",
              "start from these weights; tensors that do not fit are named");
  cli->option_with_default("--resume", &f->resume, "PATH",
                           "go on with a run directory (default: --out, or the newest in runs/)");
  cli->option("--checkpoint-every", &f->checkpoint_every, "N",
              "steps between checkpoints (default: at the end)");
  cli->option("--grad-hist", &f->grad_hist, "EVERY",
              "histograms of every parameter's gradient each EVERY steps, in the run's grads/");
  cli->flag("--no-intermediate-supervision", &f->no_supervision, "differentiate the last stage's loss only");
  cli->option("--precision", &f->precision, "P", "fp32");
  cli->flag("--deterministic", &f->deterministic,
            "same bits from run to run (the default; train.deterministic=false lets cuDNN's rows vary)");
  cli->flag("--no-cuda-graph", &f->no_cuda_graph,
            "launch every kernel of a step instead of replaying a recording");
  cli->flag("--tune", &f->tune,
            "time the convolution rows of a new run, run by the quickest (default: a fixed rule chooses)");
  cli->flag("--print-config", &f->print_config,
            "print the resolved configuration as TOML (with --json as JSON) and exit");
  cli->flag("--json", &f->json, "one JSON object on stdout, everything else on stderr");
  cli->footer(
      "Exit codes: 0 done, 1 diverged, 64 usage, 65 bad data, 69 no such device, 73/74 cannot write,\n"
      "75 interrupted (resumable with --resume).");
  for (const char* flag : {"--data", "--val"}) cli->words(flag, tools::to_words(cpm::data_kinds(), ":"));
  cli->words("--precision", tools::to_words({"fp32"}));
  cli->words("--set", assignments());
}

std::optional<std::filesystem::path> resumed_run(const Flags& f) {
  if (!f.resume) return std::nullopt;
  if (!f.resume->empty()) return *f.resume;
  return f.out ? std::filesystem::path(*f.out) : cpm::RunDir::newest();
}

cpm::Config resolve(const Flags& f, const std::optional<std::filesystem::path>& resume) {
  cpm::Config c;
  if (resume) {
    cpm::RunDir::open(*resume);  // says what is missing, better than a missing run.toml would
    c.load(*resume / "run.toml");
  }
  if (f.config) c.load(*f.config);
  for (const std::string& assignment : f.set) c.set(assignment);
  if (f.data) c.data.train = *f.data;
  if (f.val) c.data.val = *f.val;
  if (f.device) c.train.device = *f.device;
  if (f.precision) c.train.precision = *f.precision;
  if (f.steps) c.train.steps = *f.steps;
  if (f.epochs) c.train.epochs = *f.epochs;
  // A flag for one overrules the other from a file; both flags together are an error.
  if (f.epochs && !f.steps) c.train.steps = 0;
  if (f.steps && !f.epochs) c.train.epochs = 0;
  if (f.batch) c.train.batch = *f.batch;
  if (f.seed) c.train.seed = *f.seed;
  if (f.threads) c.train.threads = *f.threads;
  if (f.checkpoint_every) c.train.checkpoint_every = *f.checkpoint_every;
  if (f.grad_hist) c.grads.every = *f.grad_hist;
  if (f.no_supervision) c.train.intermediate_supervision = false;
  if (f.deterministic) c.train.deterministic = true;
  if (f.no_cuda_graph) c.train.cuda_graph = false;
  return c;
}

std::string outcome_json(const cpm::TrainOutcome& o) {
  tools::JsonObject json;
  json.add("run", o.run.string());
  json.add("steps", o.steps);
  json.add("loss", o.loss);
  json.add("seconds", o.seconds);
  json.add("interrupted", o.interrupted);
  if (o.validation) {
    json.add("pck", o.validation->mean);
    json.add_raw("validation", cpm::score_json(*o.validation, o.schema));
  }
  if (o.mean_pose) json.add("mean_pose_pck", *o.mean_pose);
  if (!o.interrupted) {
    json.add("weights", (o.run / "weights.safetensors").string());
    json.add("report", (o.run / "report.html").string());
  }
  return json.text();
}

int run(int argc, char** argv) {
  tools::Cli cli("cpm-train", "Trains a Convolutional Pose Machine.");
  Flags f;
  declare(&cli, &f);
  if (!cli.parse(argc, argv)) return 0;
  cpm::TrainRequest request;
  request.resume = resumed_run(f);
  request.config = resolve(f, request.resume);
  if (f.print_config) {
    fmt::print("{}", f.json ? request.config.to_json() + "\n" : request.config.to_toml());
    return 0;
  }
  tools::require_usage(!request.config.data.train.empty(), "--data", "no training data",
                       "a SPEC, e.g. synthetic:1000", "nothing");
  request.out = f.out.value_or("");
  request.weights = f.weights.value_or("");
  request.argv.assign(argv, argv + argc);
  request.tune = f.tune;
  request.quiet_stdout = f.json;
  const cpm::TrainOutcome outcome = cpm::train(request);
  if (f.json) fmt::print("{}\n", outcome_json(outcome));
  return static_cast<int>(outcome.interrupted ? kernels::ExitCode::Interrupted : kernels::ExitCode::Ok);
}

}  // namespace

int main(int argc, char** argv) {
  return tools::run_main([&] { return run(argc, argv); });
}
