#include "cpm/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>
#include <numeric>
#include <utility>

#include "cpm/checkpoint.h"
#include "cpm/learning_rate.h"
#include "cpm/signals.h"
#include "cpm/train_events.h"
#include "cpm/train_grads.h"
#include "cpm/train_report.h"
#include "cpm/train_session.h"
#include "cpm/train_validation.h"
#include "cpm/validations.h"
#include "engine/io/file.h"
#include "engine/runtime/clock.h"

namespace cpm {

using engine::seconds_since;
using kernels::Error;
using kernels::ExitCode;

namespace {

using Clock = std::chrono::steady_clock;

class Trainer {
 public:
  explicit Trainer(const TrainRequest& request) : request_(request), console_(request.quiet_stdout) {}

  TrainOutcome run();

 private:
  void open();
  bool nothing_to_do();
  void prepare();
  void loop();
  void begin(const Period& period);
  double rate(int64_t step) const;
  void fetch(int64_t step);
  StepResult make_step(int64_t step);
  void record(const StepResult& result, const std::vector<double>& plateau, int64_t step);
  void show(const MetricsRow& row);
  void checkpoint(bool final);
  void validate(int64_t step);
  void finish();
  [[noreturn]] void diverged(const StepResult& result, int64_t step);

  const TrainRequest& request_;
  Console console_;
  Config config_;
  TrainData data_;
  TrainNet net_;
  std::optional<Batch> first_batch_;  // of a new run
  std::vector<double> plateau_;       // of the batch that was fetched last
  std::exception_ptr fetch_error_;    // of the batch after the step under way
  std::optional<RunDir> dir_;
  std::unique_ptr<TrainEvents> events_;
  std::unique_ptr<TrainGrads> grads_;  // where they are asked for
  std::unique_ptr<TrainValidation> validation_;
  std::unique_ptr<TrainReport> report_;
  const Period* period_ = nullptr;  // that the optimiser is set for
  TrainOutcome outcome_;
  int64_t first_step_ = 0, total_ = 0;
  int64_t saved_step_ = -1;
  bool nothing_to_do_ = false;
  double seconds_before_ = 0;
  double waited_before_ = 0;  // for data, when start_ was taken
  double waited_ = 0;         // when the last row was recorded
  Clock::time_point start_, last_shown_;
};

void Trainer::open() {
  config_ = request_.config;
  if (request_.resume) {
    dir_ = RunDir::open(*request_.resume);
    Config kept;
    kept.load(dir_->path() / "run.toml");
    config_ = merge_resumed(kept, config_);
  }
  config_.validate();
  Device device = open_device(config_.train.device, config_.train.threads, config_.train.deterministic);
  data_ = open_train_data(config_, device, &console_);
  net_ = open_train_net(config_, data_, request_.resume ? "" : request_.weights.string(), std::move(device),
                        &console_);
  const int64_t batch = data_.source->batch_size();
  constexpr double kDefaultEpochs = 10;
  const double epochs = config_.train.epochs > 0 ? config_.train.epochs : kDefaultEpochs;
  const std::vector<int64_t>& shares = config_.supervision.stage_steps;
  total_ = config_.train.steps > 0
               ? config_.train.steps
               : static_cast<int64_t>(std::ceil(epochs * static_cast<double>(data_.source->epoch_size()) /
                                                static_cast<double>(batch)));
  if (!shares.empty()) total_ = std::accumulate(shares.begin(), shares.end(), int64_t{0});
  net_.periods = make_periods(config_, total_);
  if (const int64_t people = data_.val ? data_.val->size() : 0; config_.report.image > people) {
    throw Error(ExitCode::Usage, {.where = "report.image",
                                  .what = "there is no such person in the validation data",
                                  .expected = fmt::format("0-{}", people),
                                  .got = fmt::format("{}", config_.report.image),
                                  .hint = "0 is the typical one"});
  }
  validation_ = std::make_unique<TrainValidation>(config_, data_, &net_, &console_);
  if (config_.grads.every > 0) grads_ = std::make_unique<TrainGrads>(config_, data_, &net_, &console_);
  if (!dir_) {
    // A broken image or too little memory shows here, while there is no run directory to clear away.
    first_batch_ = data_.source->next(0);
    const BatchTensors first = to_tensors(*first_batch_, engine::DType::F32);
    check_step_memory(config_, first, &net_);
    dir_ = RunDir::create(request_.out, config_.train.name);
    if (request_.tune) tune_rows(config_, data_, first, &net_, &console_);
  }
  console_.attach(&*dir_);
  outcome_.run = dir_->path();
}

/// A finished run that is resumed for no more steps stays as it is.
bool Trainer::nothing_to_do() {
  if (!request_.resume || first_step_ < total_ || dir_->state() != "finished") return false;
  outcome_.loss = dir_->last_loss();
  console_.line(fmt::format("done      the run had finished after {} steps: {}; --steps M goes on to step M",
                            first_step_, (dir_->path() / "report.html").string()));
  return true;
}

void Trainer::prepare() {
  console_.line(fmt::format("run       {}", dir_->path().string()));
  engine::remove_stale_temporaries(dir_->path());
  if (request_.resume) {
    first_step_ = load_newest_checkpoint(dir_->path() / "ckpt", net_.model.get(), net_.optimizer.get(),
                                         [&](const std::string& text) { console_.warn(text); });
    saved_step_ = first_step_;
    follow_rows(read_plan(*dir_), "as the run kept them", &net_, &console_);
    if (request_.tune) console_.line("tune      not again: the run goes on with the rows that it kept");
    console_.line(first_step_ > 0 ? fmt::format("resume    from the checkpoint of step {}", first_step_)
                                  : "resume    no checkpoint was written yet: starting again at step 1");
    // A run that began from other weights has a checkpoint of step 0, so this is one without any.
    if (first_step_ == 0 && !request_.weights.empty()) net_.model->take_weights(request_.weights);
  }
  if (!request_.resume && !request_.weights.empty()) checkpoint(true);
  dir_->start_metrics(static_cast<int>(config_.model.stages), first_step_);
  seconds_before_ = dir_->seconds_so_far();
  outcome_.steps = first_step_;
  outcome_.seconds = seconds_before_;
  outcome_.loss = dir_->last_loss();
  nothing_to_do_ = nothing_to_do();
  if (nothing_to_do_) return;
  events_ = std::make_unique<TrainEvents>(dir_->path(),
                                          EventStart{first_step_, first_step_ * data_.source->batch_size(),
                                                     seconds_before_, request_.resume.has_value()},
                                          config_.train.events_every,
                                          [&](const std::string& text) { console_.warn(text); });
  cut_validations(dir_->path(), first_step_);
  report_ = std::make_unique<TrainReport>(*dir_, config_, data_, net_, *validation_, &console_, total_);
  engine::write_text(dir_->path() / "run.toml", config_.to_toml());
  dir_->write_env(
      request_.argv,
      {{"data", data_.description}, {"val", data_.val_description}, {"device", net_.device.description()}});
}

/// Uploads the batch of `step`. Before the first step of this process it also prints the header.
void Trainer::fetch(int64_t step) {
  Batch batch = first_batch_ ? *std::exchange(first_batch_, std::nullopt) : data_.source->next(step - 1);
  if (batch.drawn) plateau_ = batch_plateau(batch);
  const BatchTensors tensors = to_tensors(std::move(batch), engine::DType::F32);
  if (step == first_step_ + 1) {  // before the upload: the header's check counts what that takes
    print_header(config_, data_, &net_, tensors, &console_);
    if (grads_) grads_->open(dir_->path() / "grads", first_step_, events_.get());
    validation_->prepare();
    std::map<std::string, std::string> chosen = net_.runner->plan().chosen();
    validation_->add_rows(&chosen);
    write_plan(*dir_, chosen);
    last_shown_ = start_ = Clock::now();
    waited_ = waited_before_ = data_.source->seconds_waited();
  }
  net_.runner->upload(tensors);
}

/// From its first step, or from that of a resume within it.
void Trainer::begin(const Period& period) {
  period_ = &period;
  net_.optimizer->learn(learning_parameters(*net_.model, period.supervision), period.before);
  if (net_.periods.size() == 1) return;
  console_.line(
      fmt::format("stage {} learns, to step {}", period.supervision.last(), period.before + period.steps));
}

double Trainer::rate(int64_t step) const {
  const Period& period = period_of(net_.periods, step);
  return learning_rate(config_.optim, step - period.before, period.steps);
}

StepResult Trainer::make_step(int64_t step) {
  const Period& period = period_of(net_.periods, step);
  if (period_ != &period) begin(period);
  net_.runner->launch({.supervision = period.supervision,
                       .optimizer = net_.optimizer.get(),
                       .lr = rate(step),
                       .collect = grads_ && grads_->wanted(step)});
  // While a device computes, the next batch goes there. What is wrong with it is told after this step.
  if (step < total_) {
    try {
      fetch(step + 1);
    } catch (...) {
      fetch_error_ = std::current_exception();
    }
  }
  const StepResult result = net_.runner->wait();
  if (grads_) grads_->record(step);
  if (!std::isfinite(result.loss) || result.non_finite > 0) diverged(result, step);
  return result;
}

void Trainer::diverged(const StepResult& result, int64_t step) {
  if (grads_) grads_->flush();
  throw Error(ExitCode::CheckFailed,
              {.where = fmt::format("step {}", step),
               .what = "training diverged",
               .expected = "a finite loss and gradient",
               .got = fmt::format("loss {:g}{}", result.loss, non_finite_gradient(*net_.model)),
               .hint = "lower optim.lr or add optim.warmup; checkpoints hold the weights from before"});
}

void Trainer::record(const StepResult& result, const std::vector<double>& plateau, int64_t step) {
  const int64_t samples = step * data_.source->batch_size();
  MetricsRow row;
  row.step = step;
  row.samples = samples;
  row.epoch = static_cast<double>(samples) / static_cast<double>(data_.source->epoch_size());
  row.loss = result.loss;
  row.stage_losses = result.stage_losses;
  row.dead_plateau.assign(result.stage_losses.size(), plateau[1]);
  row.dead_plateau[0] = plateau[0];
  row.lr = rate(step);
  row.grad_norm = result.grad_norm;
  row.seconds = seconds_before_ + seconds_since(start_);
  const double waited = data_.source->seconds_waited();
  row.data_wait = waited - std::exchange(waited_, waited);
  dir_->append(row);
  events_->metrics(row);
  outcome_.steps = step;
  outcome_.loss = result.loss;
  outcome_.seconds = row.seconds;
  show(row);
}

void Trainer::show(const MetricsRow& row) {
  constexpr double kTerminalSeconds = 0.2, kLogSeconds = 10;
  const bool edge = row.step == first_step_ + 1 || row.step == total_;
  const double since = seconds_since(last_shown_);
  if (!edge && since < (console_.is_terminal() ? kTerminalSeconds : kLogSeconds)) return;
  last_shown_ = Clock::now();
  const double run = std::max(1e-9, seconds_since(start_));
  const auto made = static_cast<double>(row.step - first_step_);
  std::string stages;
  for (size_t t = 0; t < row.stage_losses.size(); ++t) {
    if (std::isfinite(row.stage_losses[t])) {
      stages += fmt::format(" {:.3g}/{:.3g}", row.stage_losses[t], row.dead_plateau[t]);
    } else {
      stages += " -";  // not computed
    }
  }
  console_.progress(
      fmt::format(
          "step {}/{}  loss {:.4g}  stage/dead{}  grad {:.3g}  lr {:.2g}  {:.1f} img/s  data wait {:.0f}%  "
          "ETA {}",
          row.step, total_, row.loss, stages, row.grad_norm, row.lr, made * data_.source->batch_size() / run,
          100 * (data_.source->seconds_waited() - waited_before_) / run,
          duration_text(run / made * static_cast<double>(total_ - row.step))),
      edge || since >= kLogSeconds);
}

void Trainer::checkpoint(bool final) {
  if (saved_step_ == net_.optimizer->steps()) return;
  if (grads_) grads_->flush();
  try {
    save_checkpoint(dir_->path() / "ckpt", *net_.model, *net_.optimizer, config_.train.keep_checkpoints);
    saved_step_ = net_.optimizer->steps();
  } catch (const Error& error) {
    // A full disk must not cost the run; the last good checkpoint is still there, and the final save will
    // tell.
    if (final) throw;
    console_.warn(fmt::format("no checkpoint at step {}: {}", net_.optimizer->steps(), error.what()));
  }
}

void Trainer::validate(int64_t step) {
  if (!data_.val) return;
  validation_->run(*dir_, step, step == total_);
  outcome_.validation = validation_->result();
  outcome_.mean_pose = validation_->mean_pose();
  outcome_.schema = data_.val->schema();
  events_->validation(step, data_.val->schema(), *outcome_.validation,
                      validation_folder(*dir_, step) / kOverlayFile);
}

void Trainer::loop() {
  install_signal_handlers();
  dir_->write_status("running", first_step_, total_);
  Clock::time_point heartbeat = Clock::now();
  last_shown_ = start_ = Clock::now();
  if (first_step_ < total_) fetch(first_step_ + 1);
  for (int64_t step = first_step_ + 1; step <= total_; ++step) {
    const std::vector<double> plateau = plateau_;
    const StepResult result = make_step(step);
    record(result, result.plateau.empty() ? plateau : result.plateau, step);
    if (constexpr double kHeartbeatSeconds = 5; seconds_since(heartbeat) > kHeartbeatSeconds) {
      dir_->write_status("running", step, total_);
      heartbeat = Clock::now();
    }
    const int64_t every = config_.train.checkpoint_every, val_every = config_.train.val_every;
    if (take_save_request() || (every > 0 && step % every == 0 && step < total_)) checkpoint(false);
    if (val_every > 0 && step % val_every == 0 && step < total_) {
      validate(step);
      report_->while_training(outcome_);
    }
    if (stop_requested() && step < total_) {
      outcome_.interrupted = true;
      return;
    }
    if (fetch_error_) std::rethrow_exception(fetch_error_);
  }
}

void Trainer::finish() {
  checkpoint(true);
  if (outcome_.interrupted) {
    report_->broken_off(outcome_, "Interrupted", ".");
    dir_->write_status("interrupted", outcome_.steps, total_);
    console_.line(fmt::format("interrupted after step {}; continue with: cpm-train --resume {}",
                              outcome_.steps, dir_->path().string()));
    return;
  }
  net_.model->save(dir_->path() / "weights.safetensors");
  validate(total_);
  report_->at_the_end(outcome_);
  dir_->write_status("finished", total_, total_);
  console_.line(fmt::format("done      {} steps in {}: {}", total_, duration_text(outcome_.seconds),
                            (dir_->path() / "report.html").string()));
}

TrainOutcome Trainer::run() {
  open();
  prepare();
  if (nothing_to_do_) return outcome_;
  try {
    loop();
    finish();
  } catch (const std::exception& error) {
    report_->broken_off(outcome_, "Training failed", fmt::format(": {}", error.what()));
    dir_->write_status("failed", outcome_.steps, total_);
    throw;
  }
  return outcome_;
}

}  // namespace

TrainOutcome train(const TrainRequest& request) {
  return Trainer(request).run();
}

}  // namespace cpm
