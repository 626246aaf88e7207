// Convolution, ReLU and max pooling, group of images by group of images: the convolution's output and its
// gradient, by far the largest tensors of a network that begins with such layers, never exist as a whole.
#include "engine/ops/conv2d_call.h"
#include "engine/ops/ops.h"
#include "kernels/bias/bias.h"

namespace engine::ops {

namespace {

using kernels::ConvProblem;
using kernels::Direction;
using kernels::GradMode;
using kernels::PoolProblem;

/// Sizes of one group, and how many there are; a group's tensors follow each other.
struct Groups {
  ConvProblem conv;
  PoolProblem pool;
  int64_t count;
};

/// Groups of one size, so that the plan knows one problem: the largest divisor of N that fits.
Groups make_groups(const kernels::Exec& exec, const ConvProblem& conv, const Pool2dOptions& pool,
                   int64_t group_bytes, size_t element) {
  Groups groups{.conv = conv, .pool = {}, .count = 1};
  const int64_t image = conv.K * conv.P() * conv.Q() * static_cast<int64_t>(element);
  while (exec.backend == kernels::Backend::Cpu && groups.count < conv.N &&
         (conv.N % groups.count != 0 || conv.N / groups.count * image > group_bytes)) {
    ++groups.count;
  }
  groups.conv.N = conv.N / groups.count;
  groups.pool = pool_problem({groups.conv.N, conv.K, conv.P(), conv.Q()}, pool);
  return groups;
}

struct Saved {
  Tensor x, w, y;  // y: pooled
  std::shared_ptr<void> argmax;
  std::shared_ptr<GradState> dx, dw, db;
  Groups groups;
  std::string layer;
};

GradMode mode_of(const GradSlot& slot, int64_t group) {
  return slot.mode == GradMode::Ignore || group == 0 ? slot.mode : GradMode::Accumulate;
}

template <class T>
void backward_group(Context& context, const Saved& s, int64_t group, const T* dy_pooled, T* dy,
                    const GradSlot (&slots)[3]) {
  const auto& [conv, pool, count] = s.groups;
  const auto& [dx, dw, db] = slots;
  if (!context.dry()) {
    const int64_t at = group * pool.y_size();
    kernels::pool2d_kernels<T>(context.exec.backend)
        .relu_max_backward(context.exec, pool, dy_pooled + at, s.y.data<T>() + at,
                           static_cast<const uint8_t*>(s.argmax.get()) + at, dy, GradMode::Overwrite);
    if (db.mode != GradMode::Ignore) {
      kernels::bias_kernels<T>(context.exec.backend)
          .backward(context.exec, {.N = conv.N, .K = conv.K, .pixels = conv.P() * conv.Q()}, dy,
                    db.grad.data<T>(), mode_of(db, group));
    }
  }
  T* const dx_data = data_or_null<T>(dx);
  run_conv_backward<T>(context, s.layer, conv,
                       {.x = s.x.data<T>() + group * conv.x_size(),
                        .w = s.w.data<T>(),
                        .dy = dy,
                        .dx = dx_data == nullptr ? nullptr : dx_data + group * conv.x_size(),
                        .dw = data_or_null<T>(dw)},
                       dx.mode, mode_of(dw, group));
}

template <class T>
void vjp(Tape& tape, const Saved& s, const Tensor& dy_pooled) {
  Context& context = tape.context();
  const GradSlot slots[] = {tape.slot(s.dx), tape.slot(s.dw), tape.slot(s.db)};
  const auto& conv = s.groups.conv;
  const Tensor dy = context.allocate({conv.N, conv.K, conv.P(), conv.Q()}, s.y.dtype());
  for (int64_t group = 0; group < s.groups.count; ++group) {
    backward_group<T>(context, s, group, dy_pooled.data<T>(), dy.data<T>(), slots);
  }
}

template <class T>
void forward(Context& context, const Saved& s, const Tensor& b) {
  const auto& [conv, pool, count] = s.groups;
  const Tensor y = context.allocate({conv.N, conv.K, conv.P(), conv.Q()}, s.y.dtype());
  for (int64_t group = 0; group < count; ++group) {
    run_conv<T>(
        context, s.layer, conv, Direction::Fprop,
        {.x = s.x.data<T>() + group * conv.x_size(), .w = s.w.data<T>(), .b = b.data<T>(), .y = y.data<T>()},
        GradMode::Overwrite);
    if (context.dry()) continue;
    const int64_t at = group * pool.y_size();
    kernels::pool2d_kernels<T>(context.exec.backend)
        .relu_max_forward(context.exec, pool, y.data<T>(), s.y.data<T>() + at,
                          static_cast<uint8_t*>(s.argmax.get()) + at);
  }
}

}  // namespace

Variable conv2d_max_pool(Tape& tape, const Variable& x, const Variable& w, const Variable& b,
                         const Conv2dOptions& conv, const Pool2dOptions& pool, int64_t group_bytes) {
  CPM_CHECK(pool.relu && !conv.relu, "layer {}: the ReLU is the pooling's", conv.layer);
  Context& context = tape.context();
  const ConvProblem problem = conv_problem(x, w, b, conv);
  const Groups groups =
      make_groups(context.exec, problem, pool, group_bytes, kernels::dtype_size(x.value.dtype()));
  Tensor y = context.allocate({problem.N, problem.K, groups.pool.P(), groups.pool.Q()}, x.value.dtype());
  Saved saved{x.value,   w.value, y,      context.arena->allocate(static_cast<size_t>(y.count())),
              x.grad,    w.grad,  b.grad, groups,
              conv.layer};
  return kernels::visit_dtype(y.dtype(), [&](auto zero) {
    using T = decltype(zero);
    forward<T>(context, saved, b.value);
    return tape.record("conv2d_max_pool", y, {x, w, b},
                       [saved = std::move(saved)](Tape& t, const Tensor& dy) { vjp<T>(t, saved, dy); });
  });
}

}  // namespace engine::ops
