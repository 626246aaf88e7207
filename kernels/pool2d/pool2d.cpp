// Output sizes. Floor (PyTorch): (size + 2 pad - kernel) / stride + 1. Ceil (Caffe): the division rounds up,
// and a last window that would start beyond the image and its leading padding is dropped. Every window so
// counted holds at least one pixel, because pad < kernel.
#include "kernels/pool2d/pool2d.h"

#include "kernels/base/error.h"

namespace kernels {

int64_t PoolProblem::output(int64_t size) const {
  const int64_t room = size + 2 * pad - kernel;  // negative where the window is larger than the padded image
  const bool ceil = rounding == PoolRounding::Ceil;
  CPM_CHECK(kernel >= 1 && kernel <= 15 && stride >= 1 && pad >= 0 && pad < kernel && size >= 1, "pooling {}",
            to_string(*this));
  CPM_CHECK(room >= 0 || (ceil && room > -stride), "the pooling window exceeds the padded image: {}",
            to_string(*this));
  if (!ceil) return room / stride + 1;
  const int64_t count = (room >= 0 ? (room + stride - 1) / stride : 0) + 1;
  return (count - 1) * stride >= size + pad ? count - 1 : count;
}

std::string to_string(const PoolProblem& problem) {
  return fmt::format("planes={} image={}x{} kernel={} stride={} pad={} rounding={}", problem.planes,
                     problem.H, problem.W, problem.kernel, problem.stride, problem.pad,
                     problem.rounding == PoolRounding::Floor ? "floor" : "ceil");
}

}  // namespace kernels
