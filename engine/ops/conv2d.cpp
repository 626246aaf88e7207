// y = x * w + b (cross-correlation). The vjp runs dgrad, wgrad and the bias sum; each output's mode comes
// from the tape. Needs x and w again, and y only where it ends in a ReLU: so one that follows may overwrite
// y.
#include "engine/ops/ops.h"

#include "engine/tune/conv_plan.h"
#include "kernels/bias/bias.h"
#include "kernels/conv2d/conv2d.h"

namespace engine::ops {

namespace {

using kernels::ConvOperands;
using kernels::ConvProblem;
using kernels::Direction;
using kernels::GradMode;

ConvProblem problem_of(const Variable& x, const Variable& w, const Variable& b,
                       const Conv2dOptions& options) {
  const Shape& xs = x.shape();
  const Shape& ws = w.shape();
  CPM_CHECK(xs.rank() == 4 && ws.rank() == 4 && xs[1] == ws[1] && b.shape() == Shape({ws[0]}),
            "layer {}: input {}, weight {}, bias {}", options.layer, to_string(xs), to_string(ws),
            to_string(b.shape()));
  const ConvProblem problem{.N = xs[0],
                            .C = xs[1],
                            .H = xs[2],
                            .W = xs[3],
                            .K = ws[0],
                            .R = ws[2],
                            .S = ws[3],
                            .pad_h = options.pad_h,
                            .pad_w = options.pad_w,
                            .stride = options.stride};
  CPM_CHECK(problem.P() > 0 && problem.Q() > 0, "layer {}: a kernel {} does not fit an input {}",
            options.layer, to_string(ws), to_string(xs));
  return problem;
}

template <class T>
void run(Context& context, const std::string& layer, const ConvProblem& problem, Direction direction,
         const ConvOperands<T>& operands, GradMode mode) {
  const auto& row = context.plan->choose<T>(context.exec, layer, problem, direction);
  const size_t bytes = row.workspace(context.exec, problem, direction);
  const auto workspace = bytes > 0 ? context.arena->allocate(bytes) : nullptr;
  if (context.dry()) return;
  row.run(with_workspace(context.exec, workspace.get(), bytes), problem, direction, operands, mode);
}

struct Saved {
  Tensor x, w, y;  // y: with ReLU only
  std::shared_ptr<GradState> dx, dw, db;
  ConvProblem problem;
  std::string layer;
};

/// The bias's gradient. With ReLU the gradient before it replaces dy, which nobody reads after this node.
template <class T>
void bias_vjp(Tape& tape, const Saved& s, const Tensor& dy) {
  Context& context = tape.context();
  const GradSlot db = tape.slot(s.db);
  if (context.dry()) return;
  const kernels::BiasProblem problem{
      .N = s.problem.N, .K = s.problem.K, .pixels = s.problem.P() * s.problem.Q()};
  const auto& kernel = kernels::bias_kernels<T>(context.exec.backend);
  T* out = db.mode == GradMode::Ignore ? nullptr : db.grad.data<T>();
  if (s.y.defined()) {
    kernel.relu_backward(context.exec, problem, s.y.data<T>(), dy.data<T>(), out, db.mode);
  } else if (out != nullptr) {
    kernel.backward(context.exec, problem, dy.data<T>(), out, db.mode);
  }
}

template <class T>
void vjp(Tape& tape, const Saved& s, const Tensor& dy) {
  Context& context = tape.context();
  bias_vjp<T>(tape, s, dy);
  if (const GradSlot dw = tape.slot(s.dw); dw.mode != GradMode::Ignore) {
    run<T>(context, s.layer, s.problem, Direction::Wgrad,
           {.x = s.x.data<T>(), .dy = dy.data<T>(), .dw = dw.grad.data<T>()}, dw.mode);
  }
  if (const GradSlot dx = tape.slot(s.dx); dx.mode != GradMode::Ignore) {
    run<T>(context, s.layer, s.problem, Direction::Dgrad,
           {.w = s.w.data<T>(), .dy = dy.data<T>(), .dx = dx.grad.data<T>()}, dx.mode);
  }
}

}  // namespace

Variable conv2d(Tape& tape, const Variable& x, const Variable& w, const Variable& b,
                const Conv2dOptions& options) {
  const ConvProblem problem = problem_of(x, w, b, options);
  Context& context = tape.context();
  Tensor y = context.allocate({problem.N, problem.K, problem.P(), problem.Q()}, x.value.dtype());
  return kernels::visit_dtype(x.value.dtype(), [&](auto zero) {
    using T = decltype(zero);
    run<T>(context, options.layer, problem, Direction::Fprop,
           {.x = x.value.data<T>(),
            .w = w.value.data<T>(),
            .b = b.value.data<T>(),
            .y = y.data<T>(),
            .relu = options.relu},
           GradMode::Overwrite);
    Saved saved{x.value, w.value,      options.relu ? y : Tensor(), x.grad, w.grad, b.grad,
                problem, options.layer};
    return tape.record("conv2d", y, {x, w, b},
                       [saved = std::move(saved)](Tape& t, const Tensor& dy) { vjp<T>(t, saved, dy); });
  });
}

}  // namespace engine::ops
