// Differentiable operations: each checks shapes, allocates its output, runs a kernel and appends its vjp to
// the tape. Tensors are NCHW; float and double alike (all operands of one call have one type).
#pragma once

#include <string>
#include <vector>

#include "engine/autograd/tape.h"
#include "kernels/pool2d/pool2d.h"

namespace engine::ops {

struct Conv2dOptions {
  std::string layer;  // name for the plan and for errors
  int64_t pad_h = 0, pad_w = 0;
  int64_t stride = 1;
  bool relu = false;  // y = max(., 0) of it, in the same pass
};

/// y [N, K, P, Q] = x [N, C, H, W] correlated with w [K, C, R, S], plus b [K].
Variable conv2d(Tape& tape, const Variable& x, const Variable& w, const Variable& b,
                const Conv2dOptions& options);

/// max(x, 0). Reuses x's memory where nobody else holds it (pass it with std::move).
Variable relu(Tape& tape, Variable x);

struct Pool2dOptions {
  int64_t kernel = 3, stride = 2, pad = 1;
  kernels::PoolRounding rounding = kernels::PoolRounding::Floor;
  bool relu = false;  // max pooling of max(x, 0), in the same pass: the bits of both one after the other
};

Variable max_pool2d(Tape& tape, const Variable& x, const Pool2dOptions& options);
inline constexpr int64_t kConvPoolBytes = int64_t{160} << 20;
/// max_pool2d of conv2d with a ReLU between them (`pool.relu`, not `conv.relu`). On a processor as many
/// images at a time as keep the convolution's output, which nobody else gets, within `group_bytes`; dw and
/// db add up group by group.
Variable conv2d_max_pool(Tape& tape, const Variable& x, const Variable& w, const Variable& b,
                         const Conv2dOptions& conv, const Pool2dOptions& pool,
                         int64_t group_bytes = kConvPoolBytes);
Variable avg_pool2d(Tape& tape, const Variable& x, const Pool2dOptions& options);

/// Along channels.
Variable concat(Tape& tape, const std::vector<Variable>& inputs);

/// A stage's loss, F64 [1]: sum of mask (y - target)^2 over maps and pixels, over 2 N. `mask` [N, maps] may
/// be undefined. A loss: give it to Tape::backward, which differentiates `weight` times its value.
Variable mse(Tape& tape, const Variable& y, const Tensor& target, const Tensor& mask, double weight = 1);

}  // namespace engine::ops
