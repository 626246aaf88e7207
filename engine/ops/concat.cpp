// Operands are copied into the whole; backward copies (or adds) each slice of the gradient back.
#include "kernels/concat/concat.h"

#include "engine/ops/ops.h"

namespace engine::ops {

using kernels::ConcatSlice;
using kernels::GradMode;

Variable concat(Tape& tape, const std::vector<Variable>& inputs) {
  CPM_CHECK(!inputs.empty(), "concat of nothing");
  const Shape& first = inputs.front().shape();
  ConcatSlice slice{.N = first[0], .pixels = first[2] * first[3], .total = 0};
  for (const Variable& input : inputs) {
    const Shape& s = input.shape();
    CPM_CHECK(s.rank() == 4 && s[0] == first[0] && s[2] == first[2] && s[3] == first[3],
              "concat of {} and {}", to_string(first), to_string(s));
    slice.total += s[1];
  }
  Context& context = tape.context();
  Tensor whole = context.allocate({first[0], slice.total, first[2], first[3]}, inputs.front().value.dtype());
  return kernels::visit_dtype(whole.dtype(), [&](auto zero) {
    using T = decltype(zero);
    struct Part {
      ConcatSlice slice;
      std::shared_ptr<GradState> grad;
    };
    std::vector<Part> parts;
    for (const Variable& input : inputs) {
      slice.channels = input.shape()[1];
      parts.push_back({slice, input.grad});
      if (!context.dry()) {
        kernels::concat_kernels<T>(context.exec.backend)
            .forward(context.exec, slice, input.value.data<T>(), whole.data<T>());
      }
      slice.first += slice.channels;
    }
    return tape.record("concat", whole, inputs, [parts = std::move(parts)](Tape& t, const Tensor& d_whole) {
      Context& c = t.context();
      for (const Part& part : parts) {
        const GradSlot d = t.slot(part.grad);
        if (d.mode == GradMode::Ignore || c.dry()) continue;
        kernels::concat_kernels<T>(c.exec.backend)
            .backward(c.exec, part.slice, d_whole.data<T>(), d.grad.data<T>(), d.mode);
      }
    });
  });
}

}  // namespace engine::ops
