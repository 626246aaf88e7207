// Max pooling keeps a byte per output (the maximum's place in its window) instead of its input.
#include "kernels/pool2d/pool2d.h"

#include "engine/ops/conv2d_call.h"

namespace engine::ops {

namespace {

using kernels::GradMode;
using kernels::PoolProblem;

Tensor allocate_output(Context& context, const Variable& x, const PoolProblem& problem) {
  return context.allocate({x.shape()[0], x.shape()[1], problem.P(), problem.Q()}, x.value.dtype());
}

}  // namespace

PoolProblem pool_problem(const Shape& x, const Pool2dOptions& options) {
  CPM_CHECK(x.rank() == 4, "pooling of {}", to_string(x));
  const PoolProblem problem{.planes = x[0] * x[1],
                            .H = x[2],
                            .W = x[3],
                            .kernel = options.kernel,
                            .stride = options.stride,
                            .pad = options.pad,
                            .rounding = options.rounding};
  CPM_CHECK(problem.P() > 0 && problem.Q() > 0, "a window of {} does not fit {}", options.kernel,
            to_string(x));
  return problem;
}

Variable max_pool2d(Tape& tape, const Variable& x, const Pool2dOptions& options) {
  const PoolProblem problem = pool_problem(x.shape(), options);
  Context& context = tape.context();
  Tensor y = allocate_output(context, x, problem);
  const std::shared_ptr<void> argmax = context.arena->allocate(static_cast<size_t>(y.count()));
  return kernels::visit_dtype(y.dtype(), [&](auto zero) {
    using T = decltype(zero);
    if (!context.dry()) {
      const auto& kernel = kernels::pool2d_kernels<T>(context.exec.backend);
      const auto forward = options.relu ? kernel.relu_max_forward : kernel.max_forward;
      forward(context.exec, problem, x.value.data<T>(), y.data<T>(), static_cast<uint8_t*>(argmax.get()));
    }
    return tape.record(
        "max_pool2d", y, {x},
        [problem, argmax, kept = options.relu ? y : Tensor(), dx_state = x.grad](Tape& t, const Tensor& dy) {
          const GradSlot dx = t.slot(dx_state);
          Context& c = t.context();
          if (dx.mode == GradMode::Ignore || c.dry()) return;
          const auto& kernel = kernels::pool2d_kernels<T>(c.exec.backend);
          const auto* places = static_cast<const uint8_t*>(argmax.get());
          T* out = dx.grad.data<T>();
          if (kept.defined()) {
            kernel.relu_max_backward(c.exec, problem, dy.data<T>(), kept.data<T>(), places, out, dx.mode);
          } else {
            kernel.max_backward(c.exec, problem, dy.data<T>(), places, out, dx.mode);
          }
        });
  });
}

Variable avg_pool2d(Tape& tape, const Variable& x, const Pool2dOptions& options) {
  const PoolProblem problem = pool_problem(x.shape(), options);
  Context& context = tape.context();
  Tensor y = allocate_output(context, x, problem);
  return kernels::visit_dtype(y.dtype(), [&](auto zero) {
    using T = decltype(zero);
    if (!context.dry()) {
      kernels::pool2d_kernels<T>(context.exec.backend)
          .avg_forward(context.exec, problem, x.value.data<T>(), y.data<T>());
    }
    return tape.record("avg_pool2d", y, {x}, [problem, dx_state = x.grad](Tape& t, const Tensor& dy) {
      const GradSlot dx = t.slot(dx_state);
      Context& c = t.context();
      if (dx.mode == GradMode::Ignore || c.dry()) return;
      kernels::pool2d_kernels<T>(c.exec.backend)
          .avg_backward(c.exec, problem, dy.data<T>(), dx.grad.data<T>(), dx.mode);
    });
  });
}

}  // namespace engine::ops
