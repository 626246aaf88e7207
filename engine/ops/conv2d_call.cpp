#include "engine/ops/conv2d_call.h"

namespace engine::ops {

kernels::ConvProblem conv_problem(const Variable& x, const Variable& w, const Variable& b,
                                  const Conv2dOptions& options) {
  const Shape& xs = x.shape();
  const Shape& ws = w.shape();
  CPM_CHECK(xs.rank() == 4 && ws.rank() == 4 && xs[1] == ws[1] && b.shape() == Shape({ws[0]}),
            "layer {}: input {}, weight {}, bias {}", options.layer, to_string(xs), to_string(ws),
            to_string(b.shape()));
  const kernels::ConvProblem problem{.N = xs[0],
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

}  // namespace engine::ops
