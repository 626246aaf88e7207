// The only op whose vjp needs no upstream gradient: it is where backward starts.
#include "kernels/mse/mse.h"

#include "engine/ops/ops.h"

namespace engine::ops {

using kernels::GradMode;

Variable mse(Tape& tape, const Variable& y, const Tensor& target, const Tensor& mask, double weight) {
  const Shape& s = y.shape();
  CPM_CHECK(s.rank() == 4 && target.shape() == s && target.dtype() == y.value.dtype(),
            "squared error of {} against {}", to_string(s), to_string(target.shape()));
  CPM_CHECK(!mask.defined() || (mask.count() == s[0] * s[1] && mask.dtype() == target.dtype()),
            "a mask {} over {}", to_string(mask.shape()), to_string(s));
  Context& context = tape.context();
  const double scale = 1.0 / (2.0 * static_cast<double>(s[0]));
  Tensor loss = context.allocate({1}, DType::F64);
  return kernels::visit_dtype(y.value.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto operands = [s](const Tensor& value, const Tensor& aim, const Tensor& only) {
      return kernels::MseOperands<T>{.maps = s[0] * s[1],
                                     .pixels = s[2] * s[3],
                                     .y = value.data<T>(),
                                     .target = aim.data<T>(),
                                     .mask = only.defined() ? only.data<T>() : nullptr};
    };
    const auto& squared_error = kernels::mse_kernels<T>(context.exec.backend);
    const size_t bytes = squared_error.workspace(s[0] * s[1]);
    const auto workspace = bytes > 0 ? context.arena->allocate(bytes) : nullptr;
    if (!context.dry()) {
      const kernels::Exec exec = with_workspace(context.exec, workspace.get(), bytes);
      squared_error.forward(exec, operands(y.value, target, mask), scale, loss.data<double>());
    }
    return tape.record("mse", loss, {y},
                       [operands, scale = weight * scale, value = y.value, target, mask, dy_state = y.grad](
                           Tape& t, const Tensor&) {
                         const GradSlot dy = t.slot(dy_state);
                         Context& c = t.context();
                         if (dy.mode == GradMode::Ignore || c.dry()) return;
                         kernels::mse_kernels<T>(c.exec.backend)
                             .backward(c.exec, operands(value, target, mask), scale, dy.grad.data<T>(),
                                       dy.mode);
                       });
  });
}

}  // namespace engine::ops
