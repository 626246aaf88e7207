// y = x * w + b (cross-correlation). The vjp runs dgrad, wgrad and the bias sum; each output's mode comes
// from the tape. Needs x and w again, and y only where it ends in a ReLU: so one that follows may overwrite
// y.
#include "engine/ops/conv2d_call.h"
#include "engine/ops/ops.h"
#include "kernels/bias/bias.h"

namespace engine::ops {

namespace {

using kernels::ConvProblem;
using kernels::Direction;
using kernels::GradMode;

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
  const GradSlot dw = tape.slot(s.dw), dx = tape.slot(s.dx);
  run_conv_backward<T>(context, s.layer, s.problem,
                       {.x = s.x.data<T>(),
                        .w = s.w.data<T>(),
                        .dy = dy.data<T>(),
                        .dx = data_or_null<T>(dx),
                        .dw = data_or_null<T>(dw)},
                       dx.mode, dw.mode);
}

}  // namespace

Variable conv2d(Tape& tape, const Variable& x, const Variable& w, const Variable& b,
                const Conv2dOptions& options) {
  const ConvProblem problem = conv_problem(x, w, b, options);
  Context& context = tape.context();
  Tensor y = context.allocate({problem.N, problem.K, problem.P(), problem.Q()}, x.value.dtype());
  return kernels::visit_dtype(x.value.dtype(), [&](auto zero) {
    using T = decltype(zero);
    run_conv<T>(context, options.layer, problem, Direction::Fprop,
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
