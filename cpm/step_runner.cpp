#include "cpm/step_runner.h"

#include <cmath>

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

}  // namespace

BatchTensors to_tensors(Batch batch, DType dtype) {
  const int64_t n = batch.n, maps = batch.joints + 1, rows = batch.height / 8, cols = batch.width / 8;
  BatchTensors t;
  t.image = tensor_of(std::move(batch.image), {n, 3, batch.height, batch.width}, dtype);
  t.center = tensor_of(std::move(batch.center), {n, 1, batch.height, batch.width}, dtype);
  t.targets.stage1 = tensor_of(std::move(batch.target_stage1), {n, maps, rows, cols}, dtype);
  t.targets.rest = tensor_of(std::move(batch.target_rest), {n, maps, rows, cols}, dtype);
  t.targets.mask = tensor_of(std::move(batch.mask), {n, maps}, dtype);
  return t;
}

std::vector<double> StepRunner::forward_backward(const BatchTensors& batch, bool supervised) {
  engine::Context context{exec_, arena_.get(), &plan_};
  engine::Tape tape(context);
  std::vector<engine::Variable> losses;
  {
    const std::vector<engine::Variable> beliefs = model_->forward(tape, batch.image, batch.center);
    losses = stage_losses(tape, beliefs, batch.targets);
  }
  std::vector<double> values;
  for (const auto& loss : losses) values.push_back(context.dry() ? 0.0 : *loss.value.data<double>());
  backward_losses(tape, losses, supervised);
  return values;
}

void StepRunner::prepare(const BatchTensors& batch, bool supervised, bool training) {
  const Shape& shape = batch.image.shape();
  if (arena_ && shape == prepared_ && training == prepared_training_ && supervised == prepared_supervised_)
    return;
  arena_ = std::make_unique<engine::Arena>();
  arena_->measure();
  if (training) {
    forward_backward(batch, supervised);
  } else {
    engine::Context context{exec_, arena_.get(), &plan_};
    engine::Tape tape(context, false);
    model_->forward(tape, batch.image, batch.center);
  }
  arena_->commit();
  prepared_ = shape;
  prepared_training_ = training;
  prepared_supervised_ = supervised;
}

StepResult StepRunner::gradients(const BatchTensors& batch, bool supervised) {
  prepare(batch, supervised, true);
  StepResult result;
  result.stage_losses = forward_backward(batch, supervised);
  for (const double loss : result.stage_losses) result.loss += loss;
  if (!supervised) result.loss = result.stage_losses.back();
  const Tensor& grad = model_->parameters().flat_grad();
  kernels::ArrayStats stats;
  kernels::visit_dtype(grad.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::reduce_kernels<T>(exec_.backend).stats(exec_, grad.count(), grad.data<T>(), &stats);
  });
  result.grad_norm = std::sqrt(stats.sum_squares);
  result.non_finite = stats.non_finite;
  return result;
}

std::vector<std::vector<float>> StepRunner::beliefs(const BatchTensors& batch) {
  prepare(batch, false, false);
  engine::Context context{exec_, arena_.get(), &plan_};
  engine::Tape tape(context, false);
  std::vector<std::vector<float>> result;
  for (const engine::Variable& maps : model_->forward(tape, batch.image, batch.center)) {
    kernels::visit_dtype(maps.value.dtype(), [&](auto zero) {
      const auto values = maps.value.span<decltype(zero)>();
      result.emplace_back(values.begin(), values.end());
    });
  }
  return result;
}

}  // namespace cpm
