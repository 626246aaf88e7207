// The vjp needs only the output. Forward runs in place where the caller gave its last reference away, and
// backward in place on the output's gradient where the input's gradient is not there yet.
#include "kernels/relu/relu.h"

#include "engine/ops/ops.h"

namespace engine::ops {

using kernels::GradMode;

Variable relu(Tape& tape, Variable x) {
  Context& context = tape.context();
  const bool in_place = x.value.memory().use_count() == 1;
  Tensor y = in_place ? x.value : context.allocate(x.shape(), x.value.dtype());
  return kernels::visit_dtype(y.dtype(), [&](auto zero) {
    using T = decltype(zero);
    if (!context.dry()) {
      kernels::relu_kernels<T>(context.exec.backend)
          .forward(context.exec, y.count(), x.value.template data<T>(), y.data<T>());
    }
    return tape.record("relu", y, {x}, [y, dx_state = x.grad](Tape& t, const Tensor& dy) {
      Context& c = t.context();
      if (dx_state != nullptr && !dx_state->written && !dx_state->grad.defined()) dx_state->grad = dy;
      const GradSlot dx = t.slot(dx_state);
      if (dx.mode == GradMode::Ignore || c.dry()) return;
      kernels::relu_kernels<T>(c.exec.backend)
          .backward(c.exec, y.count(), y.data<T>(), dy.data<T>(), dx.grad.data<T>(), dx.mode);
    });
  });
}

}  // namespace engine::ops
