#include "cpm/step_runner.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "engine/ops/ops.h"
#include "kernels/reduce/reduce.h"

namespace cpm {

using engine::DType;
using engine::Shape;
using engine::Tensor;

namespace {

Tensor tensor_of(std::vector<float> values, Shape shape, DType dtype) {
  if (values.empty()) return {};
  if (dtype == DType::F32) {
    auto owner = std::make_shared<std::vector<float>>(std::move(values));
    return {shape, dtype, std::shared_ptr<void>(owner, owner->data())};
  }
  Tensor tensor = Tensor::zeros(shape, dtype);
  engine::assign<float>(tensor, values);
  return tensor;
}

/// Memory the device copies to and from.
std::shared_ptr<void> staging(kernels::DeviceRuntime& runtime, size_t bytes) {
  return {runtime.allocate_staging(bytes), [&runtime](void* p) { runtime.release_staging(p); }};
}

}  // namespace

BatchTensors to_tensors(Batch batch, DType dtype) {
  const int64_t n = batch.n, maps = batch.joints + 1, rows = batch.height / 8, cols = batch.width / 8;
  BatchTensors t;
  t.image = tensor_of(std::move(batch.image), {n, 3, batch.height, batch.width}, dtype);
  t.center = tensor_of(std::move(batch.center), {n, 1, batch.height, batch.width}, dtype);
  t.targets.stage1 = tensor_of(std::move(batch.target_stage1), {n, maps, rows, cols}, dtype);
  t.targets.rest = tensor_of(std::move(batch.target_rest), {n, maps, rows, cols}, dtype);
  t.targets.mask = tensor_of(std::move(batch.mask), {n, maps}, dtype);
  if (!batch.drawn) {
    CPM_CHECK(dtype == DType::F32, "maps are drawn in float32");
    auto people = std::make_shared<PeopleToDraw>();
    people->problem = targets_problem(batch);
    people->people = std::move(batch.people);
    t.people = std::move(people);
  }
  return t;
}

/// What a step tells the host, written by copies at its end.
struct StepRunner::Results {
  std::array<double, kMaxStages> losses;
  std::array<double, 2> plateau;  // of stage 1 and of the rest
  kernels::ArrayStats stats;
};

StepRunner::StepRunner(Model& model, const kernels::Exec& exec, bool record)
    : model_(&model),
      exec_(exec),
      runtime_(&kernels::device_runtime(exec.backend)),
      record_(record),
      input_(exec),
      results_(std::static_pointer_cast<Results>(staging(*runtime_, sizeof(Results)))) {
  *results_ = {};
  constexpr int64_t kDoubles = (sizeof(kernels::ArrayStats) + sizeof(double) - 1) / sizeof(double);
  stats_ = Tensor::zeros({kDoubles}, DType::F64, engine::Place(exec));
}

StepRunner::~StepRunner() {
  try {
    runtime_->synchronize_device(exec_.device);
  } catch (const kernels::Error&) {  // told where it happened
  }
  forget_recording();
}

void StepRunner::forget_recording() {
  for (void*& recording : recordings_) {
    if (recording != nullptr) runtime_->destroy_recording(recording);
    recording = nullptr;
  }
  runs_ = {};
}

void StepRunner::collect(const GradOptions& options) {
  CPM_CHECK(!under_way_, "gradients are asked for while a step is under way");
  runtime_->synchronize_device(exec_.device);
  forget_recording();
  prepared_.reset();
  arena_.reset();
  collector_ = std::make_unique<GradCollector>(*model_, exec_, options);
}

void StepRunner::follow(std::map<std::string, std::string> rows,
                        std::function<void(const std::string&)> warn) {
  CPM_CHECK(!under_way_, "rows are to change while a step is under way");
  runtime_->synchronize_device(exec_.device);
  forget_recording();
  prepared_.reset();
  arena_.reset();
  plan_ = {};
  plan_.follow(std::move(rows), std::move(warn));
}

void StepRunner::measure(const BatchTensors& given, const Supervision& supervision, bool training) {
  const BatchTensors batch = with_shapes(given);
  const Supervision reduced = supervision.reduced(model_->stages());
  CPM_CHECK(reduced.last() > 0, "no stage learns");
  const Prepared wanted{.image = batch.image.shape(),
                        .supervision = training ? reduced : Supervision{},
                        .training = training,
                        .plateau = training && batch.people != nullptr};
  if (prepared_ == wanted) return;
  prepared_.reset();  // of a dry run that fails nothing is to be used
  if (arena_) runtime_->synchronize_device(exec_.device);
  forget_recording();
  arena_ = std::make_unique<engine::Arena>(engine::Arena::Options{.place = engine::Place(exec_)});
  arena_->measure();
  if (training) {
    forward_backward(batch, reduced, collector_ != nullptr);  // steps that do not count need less
    if (collector_) collector_->prepare();
  } else {
    engine::Context context{exec_, arena_.get(), &plan_};
    engine::Tape tape(context, false);
    model_->forward(tape, batch.image, batch.center);
  }
  prepared_ = wanted;
}

void StepRunner::prepare(const BatchTensors& batch, const Supervision& supervision, bool training) {
  measure(batch, supervision, training);
  if (arena_->measuring()) arena_->commit();
}

void StepRunner::forward_backward(const BatchTensors& batch, const Supervision& supervision, bool collect) {
  engine::Context context{exec_, arena_.get(), &plan_};
  if (batch.people) plateau(context, batch);
  if (collect) collector_->begin(context);
  engine::Tape tape(context);
  std::vector<engine::Variable> losses;
  {
    const std::vector<engine::Variable> beliefs = model_->forward(
        tape, batch.image, batch.center, supervision, collect ? collector_->observer(&tape) : nullptr);
    losses = stage_losses(tape, beliefs, batch.targets, supervision);
  }
  for (size_t t = 0; t < losses.size() && !context.dry(); ++t) {
    runtime_->copy(exec_, &results_->losses[t], losses[t].value.data<double>(), sizeof(double));
  }
  backward_losses(tape, losses, supervision);
  if (collect) {
    collector_->count_parameters(context);
  } else {
    count_all(context);
  }
}

/// NaN and the norm of the whole gradient.
void StepRunner::count_all(engine::Context& context) {
  const Tensor& grad = model_->parameters().flat_grad();
  kernels::visit_dtype(grad.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto& kernel = kernels::reduce_kernels<T>(exec_.backend);
    const size_t bytes = kernel.workspace(grad.count(), 1, false);
    const auto workspace = bytes > 0 ? arena_->allocate(bytes) : nullptr;
    if (context.dry()) return;
    auto* stats = reinterpret_cast<kernels::ArrayStats*>(stats_.data<double>());
    kernel.stats(engine::with_workspace(exec_, workspace.get(), bytes), grad.count(), grad.data<T>(), stats);
    runtime_->copy(exec_, &results_->stats, stats, sizeof(kernels::ArrayStats));
  });
}

/// The loss of a stage that draws the background but no joint, for targets that the host never sees.
void StepRunner::plateau(engine::Context& context, const BatchTensors& batch) {
  engine::Tape tape(context, false);
  const Shape& shape = batch.targets.rest.shape();
  const Tensor nothing = context.allocate(shape, DType::F32);
  if (!joint_maps_.defined() || joint_maps_.shape() != Shape({shape[0], shape[1]})) {
    std::vector<float> joints(static_cast<size_t>(shape[0] * shape[1]), 1.0f);
    for (size_t i = 0; i < joints.size(); ++i) joints[i] = (i + 1) % static_cast<size_t>(shape[1]) != 0;
    joint_maps_ = Tensor::zeros({shape[0], shape[1]}, DType::F32, engine::Place(exec_));
    engine::assign<float>(joint_maps_, joints);
  }
  if (!context.dry()) runtime_->zero(exec_, nothing.memory().get(), nothing.bytes());
  const std::array<Tensor, 2> targets = {batch.targets.stage1, batch.targets.rest};
  for (size_t i = 0; i < targets.size(); ++i) {
    const auto loss = engine::ops::mse(tape, tape.constant(nothing), targets[i], joint_maps_);
    if (!context.dry())
      runtime_->copy(exec_, &results_->plateau[i], loss.value.data<double>(), sizeof(double));
  }
}

void StepRunner::compute(const BatchTensors& batch) {
  forward_backward(batch, kind_.supervision, kind_.collect);
  if (kind_.optimizer != nullptr) update();
  if (kind_.collect) collector_->fetch();
}

void StepRunner::update() {
  runtime_->copy(exec_, segments_.memory().get(), host_segments_.get(), kind_.optimizer->segments_bytes());
  kernels::Exec exec = exec_;
  if (kind_.collect) exec.workspace = {update_workspace_.memory().get(), update_workspace_.bytes()};
  kind_.optimizer->launch(exec, segments_.memory().get(),
                          kind_.collect ? collector_->update_sums() : nullptr);
}

void StepRunner::upload(const BatchTensors& batch) {
  input_.upload(batch);
}

void StepRunner::launch(const StepKind& kind) {
  CPM_CHECK(!under_way_, "a step is launched while another is under way");
  CPM_CHECK(!kind.collect || collector_, "a step is to count gradients that nobody asked for");
  const BatchTensors& batch = input_.take();
  prepare(batch, kind.supervision, true);
  if (std::exchange(generation_, input_.generation()) != generation_) forget_recording();
  if (const int64_t id = kind.optimizer == nullptr ? 0 : kind.optimizer->id(); id != optimizer_id_) {
    forget_recording();
    if (kind.optimizer != nullptr) {
      const auto bytes = static_cast<int64_t>(kind.optimizer->segments_bytes());
      host_segments_ = staging(*runtime_, static_cast<size_t>(bytes));
      segments_ = Tensor::zeros({(bytes + 7) / 8}, DType::F64, engine::Place(exec_));
      const auto workspace = static_cast<int64_t>(kind.optimizer->workspace_bytes(exec_.backend));
      update_workspace_ = Tensor::zeros({(workspace + 7) / 8}, DType::F64, engine::Place(exec_));
    }
    optimizer_id_ = id;
  }
  if (kind.optimizer != nullptr) kind.optimizer->prepare(kind.lr, host_segments_.get());
  kind_ = kind;
  kind_.supervision = prepared_->supervision;
  drawn_here_ = batch.people != nullptr;
  run_or_replay(batch);
  under_way_ = true;
}

void StepRunner::run_or_replay(const BatchTensors& batch) {
  void*& recording = recordings_[kind_.collect];
  ++runs_[kind_.collect];
  // The first run loads the kernels, which a recording must not do on every driver.
  if (recording == nullptr && record_ && runs_[kind_.collect] > 1 && runtime_->begin_recording(exec_)) {
    try {
      compute(batch);
    } catch (...) {
      runtime_->abandon_recording(exec_);
      throw;
    }
    recording = runtime_->end_recording(exec_);
  }
  if (recording == nullptr) return compute(batch);
  runtime_->replay(exec_, recording);
  ++replays_;
}

StepResult StepRunner::wait() {
  CPM_CHECK(under_way_, "no step is under way");
  under_way_ = false;
  runtime_->synchronize(exec_);
  StepResult result;
  const Supervision& supervision = kind_.supervision;
  result.stage_losses.assign(static_cast<size_t>(model_->stages()), std::numeric_limits<double>::quiet_NaN());
  std::copy_n(results_->losses.begin(), supervision.last(), result.stage_losses.begin());
  for (size_t t = 0; t < result.stage_losses.size(); ++t) {
    if (supervision.weights[t] > 0) result.loss += supervision.weights[t] * result.stage_losses[t];
  }
  if (drawn_here_) result.plateau.assign(results_->plateau.begin(), results_->plateau.end());
  const kernels::ArrayStats stats = kind_.collect ? collector_->total() : results_->stats;
  result.grad_norm = std::sqrt(stats.sum_squares);
  result.non_finite = stats.non_finite;
  return result;
}

StepResult StepRunner::gradients(const BatchTensors& batch, const Supervision& supervision) {
  upload(batch);
  launch({.supervision = supervision});
  return wait();
}

std::vector<std::vector<float>> StepRunner::beliefs(const BatchTensors& batch) {
  CPM_CHECK(!under_way_, "belief maps are asked for while a step is under way");
  upload(batch);
  const BatchTensors& input = input_.take();
  prepare(input, {}, false);
  engine::Context context{exec_, arena_.get(), &plan_};
  engine::Tape tape(context, false);
  std::vector<std::vector<float>> result;
  for (const engine::Variable& maps : model_->forward(tape, input.image, input.center)) {
    const Tensor host = engine::to_host(maps.value);
    kernels::visit_dtype(host.dtype(), [&](auto zero) {
      const auto values = host.span<decltype(zero)>();
      result.emplace_back(values.begin(), values.end());
    });
  }
  return result;
}

}  // namespace cpm
