// What the ops with a convolution in them share: the problem of their operands, and one call by the plan's
// row.
#pragma once

#include <string>

#include "engine/ops/ops.h"
#include "engine/tune/conv_plan.h"
#include "kernels/conv2d/conv2d.h"

namespace engine::ops {

/// x [N, C, H, W], w [K, C, R, S], b [K]; an Internal error where they do not fit together.
kernels::ConvProblem conv_problem(const Variable& x, const Variable& w, const Variable& b,
                                  const Conv2dOptions& options);

/// What a slot's gradient is written to; null where it is ignored.
template <class T>
T* data_or_null(const GradSlot& slot) {
  return slot.mode == kernels::GradMode::Ignore ? nullptr : slot.grad.data<T>();
}

/// Runs the row that the plan names, with workspace from the arena; a dry run books the workspace alone.
template <class T>
void run_conv(Context& context, const std::string& layer, const kernels::ConvProblem& problem,
              kernels::Direction direction, const kernels::ConvOperands<T>& operands,
              kernels::GradMode mode) {
  const auto& row = context.plan->choose<T>(context.exec, layer, problem, direction);
  const size_t bytes = row.workspace(context.exec, problem, direction);
  const auto workspace = bytes > 0 ? context.arena->allocate(bytes) : nullptr;
  if (context.dry()) return;
  row.run(with_workspace(context.exec, workspace.get(), bytes), problem, direction, operands, mode);
}

/// dx and dw, each where its mode is not Ignore (operands x w dy dx dw): in one call where both are by a row
/// that has one for both.
template <class T>
void run_conv_backward(Context& context, const std::string& layer, const kernels::ConvProblem& problem,
                       const kernels::ConvOperands<T>& operands, kernels::GradMode dx_mode,
                       kernels::GradMode dw_mode) {
  using kernels::Direction, kernels::GradMode;
  const auto choose = [&](Direction d) { return &context.plan->choose<T>(context.exec, layer, problem, d); };
  const auto* wgrad = dw_mode == GradMode::Ignore ? nullptr : choose(Direction::Wgrad);
  const auto* dgrad = dx_mode == GradMode::Ignore ? nullptr : choose(Direction::Dgrad);
  if (wgrad == nullptr || wgrad != dgrad || wgrad->backward == nullptr) {
    if (wgrad != nullptr) run_conv<T>(context, layer, problem, Direction::Wgrad, operands, dw_mode);
    if (dgrad != nullptr) run_conv<T>(context, layer, problem, Direction::Dgrad, operands, dx_mode);
    return;
  }
  const size_t bytes = wgrad->backward_workspace(context.exec, problem);
  const auto workspace = bytes > 0 ? context.arena->allocate(bytes) : nullptr;
  if (context.dry()) return;
  wgrad->backward(with_workspace(context.exec, workspace.get(), bytes), problem, operands, dx_mode, dw_mode);
}

/// Windows over the planes of a tensor [N, C, H, W].
kernels::PoolProblem pool_problem(const Shape& x, const Pool2dOptions& options);

}  // namespace engine::ops
