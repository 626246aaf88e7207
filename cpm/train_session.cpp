#include "cpm/train_session.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "cpm/plan_table.h"
#include "engine/io/conv_cache.h"

namespace cpm {

using kernels::Error;
using kernels::ExitCode;

Console::Console(bool to_stderr)
    : stream_(to_stderr ? stderr : stdout), terminal_(isatty(fileno(stream_)) != 0) {}

void Console::line(const std::string& text) {
  if (open_line_) fmt::print(stream_, "\n");
  open_line_ = false;
  fmt::print(stream_, "{}\n", text);
  std::fflush(stream_);
  if (run_ != nullptr) run_->log(text);
}

void Console::warn(const std::string& text) {
  if (open_line_) fmt::print(stream_, "\n");
  open_line_ = false;
  fmt::print(stderr, "warning: {}\n", text);
  if (run_ != nullptr) run_->log("warning: " + text);
}

void Console::progress(const std::string& text, bool keep) {
  if (terminal_) {
    constexpr const char* kClearLine = "\x1b[K";
    fmt::print(stream_, "\r{}{}", text, kClearLine);
    open_line_ = true;
    std::fflush(stream_);
    if (keep && run_ != nullptr) run_->log(text);
  } else if (keep) {
    line(text);
  }
}

std::string bytes_text(double bytes) {
  if (bytes >= 1024.0 * 1024 * 1024) return fmt::format("{:.2f} GiB", bytes / (1024.0 * 1024 * 1024));
  return fmt::format("{:.1f} MiB", bytes / (1024.0 * 1024));
}

std::string duration_text(double seconds) {
  const auto s = static_cast<int64_t>(seconds + 0.5);
  if (s >= 3600) return fmt::format("{}h{:02}m", s / 3600, s / 60 % 60);
  return s >= 60 ? fmt::format("{}m{:02}s", s / 60, s % 60) : fmt::format("{}s", s);
}

namespace {

/// `needed` of `there` bytes: `fixed` and `one` for each image of a batch.
void refuse_unless_fits(const Config& config, uint64_t there, double needed, double fixed, double one) {
  const auto available = static_cast<double>(there);
  if (needed <= available) return;
  const auto fits = static_cast<int64_t>(std::max(0.0, (available - fixed) / one));
  throw Error(
      ExitCode::Usage,
      {.where = "--batch",
       .what = "a training step needs more memory than there is",
       .expected = "at most " + bytes_text(available),
       .got = bytes_text(needed),
       .hint = fits >= 1 ? fmt::format("--batch {} fits", fits)
                         : fmt::format("even --batch 1 does not fit; lower data.input ({}) or model.width",
                                       config.data.input)});
}

/// Refuses, before memory is taken, a network whose parameters, or batches of which the loader's shelf, do
/// not fit.
void check_sizes(const Config& config, const NetworkConfig& network, const Device& device) {
  double parameters = 0;
  for (const Layer& layer : network_layers(network)) {
    if (layer.kind != LayerKind::Conv) continue;
    parameters += static_cast<double>(layer.out) *
                  (1 + static_cast<double>(layer.in) * static_cast<double>(layer.kernel * layer.kernel));
  }
  const double copies = config.optim.name == "sgd" ? 3 : 4;  // value, gradient, and the optimiser's state
  const double fixed = parameters * copies * sizeof(float);
  constexpr double kPlanes = 4 * sizeof(float);  // three of the image, one of the centre
  const auto side = static_cast<double>(config.data.input);
  const double one = side * side * kPlanes * (static_cast<double>(config.data.loader_threads) + 2);
  const bool raw = parse_data_spec(config.data.train).kind == DataSpec::Kind::Raw;  // whole in memory already
  const double batches = raw ? 0 : one * static_cast<double>(config.train.batch);
  if (device.exec.backend == kernels::Backend::Cpu) {
    refuse_unless_fits(config, available_memory(), fixed + batches, fixed, one);
  } else {
    refuse_unless_fits(config, available_memory(), batches, 0, one);
    refuse_unless_fits(config, device.available_memory(), fixed, fixed, one);
  }
}

}  // namespace

TrainData open_train_data(const Config& config, const Device& device, Console* console) {
  TrainData data;
  const DataSpec spec = parse_data_spec(config.data.train);
  if (spec.kind == DataSpec::Kind::Raw) {
    if (!config.data.val.empty()) {
      throw Error(ExitCode::Usage, {.where = "--val",
                                    .what = "raw tensors cannot be validated with PCK",
                                    .expected = "no --val with raw: data",
                                    .got = config.data.val,
                                    .hint = "leave out --val"});
    }
    data.source = make_raw_source(spec, 0);
    if (config.train.batch < data.source->batch_size()) {
      data.source = make_raw_source(spec, static_cast<int>(config.train.batch));
    } else if (config.train.batch > data.source->batch_size()) {
      console->line(fmt::format("batch     {} (all rows of the file; {} were asked for)",
                                data.source->batch_size(), config.train.batch));
    }
    data.description = fmt::format("raw {}: {} rows", spec.file.string(), data.source->epoch_size());
    return data;
  }
  data.train = open_dataset(spec);
  data.description = data.train->description();
  if (!config.data.val.empty()) {
    const DataSpec val = parse_data_spec(config.data.val);
    if (val.kind == DataSpec::Kind::Raw) {
      throw Error(ExitCode::Usage, {.where = "--val",
                                    .what = "raw tensors cannot be validated with PCK",
                                    .expected = "synthetic, coco:, mpii: or lsp:",
                                    .got = config.data.val,
                                    .hint = "as in --val synthetic:100"});
    }
    data.val = open_dataset(val);
    const JointSchema &asked = data.train->schema(), &there = data.val->schema();
    if (asked.names != there.names) {
      throw Error(ExitCode::Usage, {.where = "--val",
                                    .what = "validation has other joints than training",
                                    .expected = fmt::format("the {} joints of --data", asked.count()),
                                    .got = fmt::format("{} others", there.count()),
                                    .hint = "validate on a part of the same set, as in SPEC,FIRST-LAST"});
    }
    data.val_description = data.val->description();
  }
  data.source = make_loader(*data.train, {.input = static_cast<int>(config.data.input),
                                          .batch = static_cast<int>(config.train.batch),
                                          .seed = static_cast<uint64_t>(config.train.seed),
                                          .flip = config.data.flip,
                                          .mask_missing = config.data.supervise_missing == "mask",
                                          .draw = device.exec.backend == kernels::Backend::Cpu,
                                          .threads = static_cast<int>(config.data.loader_threads),
                                          .pool = device.threads.get()});
  return data;
}

namespace {

/// Learning-rate and decay scale of a parameter from its stage (1-6, in its name) and whether it is a bias.
engine::ParameterScale scale_of(const engine::Parameter& p, const OptimConfig& optim) {
  const size_t at = p.name.find("_stage");
  const auto stage = static_cast<size_t>(p.name[at + 6] - '1');
  const bool bias = p.shape.rank() == 1;
  return {.lr = bias ? optim.bias_multiplier[stage] : optim.weight_multiplier[stage],
          .decay = bias && !optim.decay_bias ? 0.0 : 1.0};
}

std::string joined(const std::vector<std::string>& names, size_t most) {
  std::string text;
  for (size_t i = 0; i < std::min(most, names.size()); ++i) text += (i > 0 ? ", " : "") + names[i];
  return names.size() > most ? text + fmt::format(" and {} more", names.size() - most) : text;
}

}  // namespace

TrainNet open_train_net(const Config& config, const TrainData& data, const std::string& weights,
                        Device device, Console* console) {
  TrainNet net;
  net.device = std::move(device);
  const JointSchema& schema = data.source->schema();
  const NetworkConfig network = {
      .stages = static_cast<int>(config.model.stages),
      .joints = schema.count(),
      .width = config.model.width,
      .pooling = config.model.pooling == "caffe" ? Pooling::Caffe : Pooling::Torch};
  check_sizes(config, network, net.device);
  net.model = std::make_unique<Model>(network, engine::DType::F32, net.device.place());
  net.model->info().joint_names = schema.names;
  net.model->info().input = static_cast<int>(config.data.input);
  net.model->initialise(config.model.init, static_cast<uint64_t>(config.train.seed));
  if (!weights.empty()) {
    const std::vector<std::string> left_out = net.model->take_weights(weights);
    console->line(left_out.empty() ? fmt::format("weights   {}: all tensors taken", weights)
                                   : fmt::format("weights   {}: not taken (name or shape differs): {}",
                                                 weights, joined(left_out, 8)));
  }
  net.runner = std::make_unique<StepRunner>(*net.model, net.device.exec, config.train.cuda_graph);
  std::vector<engine::ParameterScale> scales;
  for (const engine::Parameter& p : net.model->parameters().all())
    scales.push_back(scale_of(p, config.optim));
  net.optimizer = std::make_unique<engine::Optimizer>(
      net.model->parameters(),
      engine::OptimizerOptions{.kind = config.optim.name == "sgd" ? engine::OptimizerOptions::Kind::Sgd
                                                                  : engine::OptimizerOptions::Kind::Adam,
                               .momentum = config.optim.momentum,
                               .beta1 = config.optim.beta1,
                               .beta2 = config.optim.beta2,
                               .eps = config.optim.eps,
                               .weight_decay = config.optim.weight_decay},
      std::move(scales));
  return net;
}

Config merge_resumed(const Config& kept, const Config& asked) {
  Config merged = kept;
  merged.train.steps = asked.train.steps;
  merged.train.epochs = asked.train.epochs;
  merged.train.threads = asked.train.threads;
  merged.train.device = asked.train.device;
  merged.train.cuda_graph = asked.train.cuda_graph;
  merged.train.checkpoint_every = asked.train.checkpoint_every;
  merged.train.keep_checkpoints = asked.train.keep_checkpoints;
  merged.train.val_every = asked.train.val_every;
  merged.train.events_every = asked.train.events_every;
  merged.data.loader_threads = asked.data.loader_threads;
  merged.train.name = asked.train.name;
  merged.report = asked.report;
  if (kept.supervision.schedule == "stagewise" &&
      std::pair(kept.train.steps, kept.train.epochs) != std::pair(asked.train.steps, asked.train.epochs)) {
    throw Error(
        ExitCode::Usage,
        {.where = "--resume",
         .what = "the steps of a stagewise run cannot change: its stages have their shares of them",
         .expected = fmt::format("train.steps = {}, train.epochs = {}", kept.train.steps, kept.train.epochs),
         .got = fmt::format("train.steps = {}, train.epochs = {}", asked.train.steps, asked.train.epochs),
         .hint = "drop the flag, or start a joint run from its --weights"});
  }
  if (merged.to_toml() == asked.to_toml()) return merged;
  // Name the first line that differs: it is the key and its two values.
  std::string a = merged.to_toml(), b = asked.to_toml();
  const auto [x, y] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  const auto line_at = [](const std::string& text, size_t at) {
    const size_t first = at == 0 ? 0 : text.rfind('\n', at - 1) + 1;
    const std::string line = text.substr(first, text.find('\n', at) - first);
    const size_t section = text.rfind("\n[", first) + 1;  // or -1 + 1: the first
    const std::string name = text.substr(section + 1, text.find(']', section) - section - 1);
    return name + "." + line.substr(0, line.find_last_not_of(' ', line.find(" #")) + 1);
  };
  throw Error(ExitCode::Usage, {.where = "--resume",
                                .what = "the run was started with another configuration",
                                .expected = line_at(a, static_cast<size_t>(x - a.begin())),
                                .got = line_at(b, static_cast<size_t>(y - b.begin())),
                                .hint = "drop the flag, or start a new run"});
}

namespace {

/// What a step takes besides its input, in bytes.
struct StepMemory {
  double parameters = 0, state = 0, activations = 0;
};

double input_bytes(const BatchTensors& given) {
  const BatchTensors batch = with_shapes(given);
  double bytes = 0;
  for (const engine::Tensor* t : {&batch.image, &batch.center, &batch.targets.stage1, &batch.targets.rest})
    bytes += static_cast<double>(t->bytes());
  return bytes;
}

StepMemory step_memory(const TrainNet& net) {
  const auto& store = net.model->parameters();
  return {.parameters = static_cast<double>(store.flat_value().bytes() + store.flat_grad().bytes()),
          .state = static_cast<double>(net.optimizer->state_bytes()),
          .activations = static_cast<double>(net.step_bytes)};
}

}  // namespace

void check_step_memory(const Config& config, const BatchTensors& first, TrainNet* net) {
  if (net->runner->arena_bytes() > 0) return;  // checked, and perhaps taken since
  net->step_bytes = 0;
  for (auto period = net->periods.rbegin(); period != net->periods.rend(); ++period) {
    net->runner->measure(first, period->supervision, true);
    net->step_bytes = std::max(net->step_bytes, net->runner->arena_bytes());
  }
  // Parameters and state are there already. A device holds the input twice: where it lands, where it is read.
  const StepMemory memory = step_memory(*net);
  const double input = net->device.exec.backend == kernels::Backend::Cpu ? 0 : 2 * input_bytes(first);
  const double needed = memory.activations + input;
  refuse_unless_fits(config, net->device.available_memory(), needed, 0,
                     needed / static_cast<double>(first.image.shape()[0]));
}

BatchTensors validation_shapes(const Config& config) {
  return inference_shapes(PredictOptions{}.batch, config.data.input, config.data.input);
}

void follow_rows(std::map<std::string, std::string> rows, const std::string& origin, TrainNet* net,
                 Console* console) {
  if (rows.empty()) return;
  net->rows = std::move(rows);
  net->rows_origin = origin;
  net->runner->follow(net->rows, [console](const std::string& text) { console->warn(text); });
}

void tune_rows(const Config& config, const TrainData& data, const BatchTensors& first, TrainNet* net,
               Console* console) {
  std::vector<engine::PlannedConv> lines = net->runner->plan().lines();
  if (data.val) {
    StepRunner forward(*net->model, net->device.exec);
    forward.measure(validation_shapes(config), {}, false);
    const auto& more = forward.plan().lines();
    lines.insert(lines.end(), more.begin(), more.end());
  }
  const auto say = [](const std::string& text) { fmt::print(stderr, "{}\n", text); };
  const auto warn = [console](const std::string& text) { console->warn(text); };
  follow_rows(engine::tune_with_cache(net->device.exec, lines, {.say = say}, engine::cache_folder(), warn),
              "timed here", net, console);
  check_step_memory(config, first, net);  // other rows take other scratch memory
}

void print_header(const Config& config, const TrainData& data, TrainNet* net, const BatchTensors& first,
                  Console* console) {
  check_step_memory(config, first, net);
  const StepMemory memory = step_memory(*net);
  const int batch = static_cast<int>(first.image.shape()[0]);
  console->line("data      " + data.description);
  if (data.val) console->line("val       " + data.val_description);
  console->line(fmt::format("network   {} stages, width {:g}, {} joints, {} pooling: {} parameters",
                            config.model.stages, config.model.width, net->model->joints(),
                            config.model.pooling, net->model->parameters().count()));
  console->line("supervise " + supervision_text(net->periods, static_cast<int>(config.model.stages)));
  console->line(fmt::format("optimiser {}, learning rate {:g} ({}), batch {}, seed {}", config.optim.name,
                            config.optim.lr, config.optim.schedule, batch, config.train.seed));
  console->line("device    " + net->device.description());
  console->line(fmt::format("memory    weights and gradients {}, optimiser {}, activations and workspace {}",
                            bytes_text(memory.parameters), bytes_text(memory.state),
                            bytes_text(memory.activations)));
  console->line(fmt::format("convolution rows, {} (layer, shape, GFLOP a direction, fprop dgrad wgrad)",
                            net->rows_origin));
  std::string plan;
  for (const PlanLayer& layer : plan_table(net->runner->plan().lines())) {
    plan += fmt::format("{}  {:<15} {:<42} {:9.3f} GFLOP  {} {} {}", plan.empty() ? "" : "\n", layer.layer,
                        layer.shape, layer.gflop, layer.rows[0], layer.rows[1], layer.rows[2]);
  }
  console->line(plan);
}

}  // namespace cpm
