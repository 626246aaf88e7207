// A convolution's sizes. Letters everywhere: N C H W input, K output channels, R S kernel height and width,
// P Q output height and width. Cross-correlation, symmetric zero padding, one stride for both axes.
#pragma once

#include <cstdint>
#include <string>

namespace kernels {

struct ConvProblem {
  int64_t N = 1, C = 1, H = 1, W = 1;
  int64_t K = 1, R = 1, S = 1;
  int64_t pad_h = 0, pad_w = 0;
  int64_t stride = 1;

  /// Output height and width: floor((H + 2 pad_h - R) / stride) + 1; not positive where the kernel does not
  /// fit.
  int64_t P() const { return (H + 2 * pad_h - R) / stride + 1; }
  int64_t Q() const { return (W + 2 * pad_w - S) / stride + 1; }

  int64_t x_size() const { return N * C * H * W; }
  int64_t w_size() const { return K * C * R * S; }
  int64_t y_size() const { return N * K * P() * Q(); }
  /// Multiply-adds with padding taken as work, as benchdnn counts: N K P Q C R S.
  double macs() const { return static_cast<double>(y_size()) * static_cast<double>(C * R * S); }

  bool operator==(const ConvProblem&) const = default;
};

/// "n1 c128 184x184 -> k128, 9x9 pad 4": for headers, errors and benchmarks.
std::string to_string(const ConvProblem& problem);

}  // namespace kernels
