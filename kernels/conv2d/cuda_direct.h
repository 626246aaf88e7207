// The seam of cuda.direct: cuda_direct.cpp plans, cuda_direct_correlate.cu does fprop and dgrad,
// cuda_direct_wgrad.cu does wgrad, cuda_sum_parts.cu adds up what several blocks have computed of one output.
#pragma once

#include <cstddef>

#include "kernels/base/exec.h"
#include "kernels/base/types.h"
#include "kernels/conv2d/correlation.h"

namespace kernels::cuda {

/// Blocks that fill a large device once, at two an SM. Work is split by the problem and this constant, never
/// by the device at hand: the bits of a result would depend on it.
inline constexpr int64_t kFullGrid = 264;

/// Shared memory that a block may have on every device we build for; Turing has no more.
inline constexpr size_t kMostSharedBytes = 64 * 1024;

/// A correlation at stride 1, out[n,k,p,q] = sum over c,r,s of in[n,c,p-pad_h+r,q-pad_w+s] w[k,c,r,s], and
/// how it is cut. dgrad is the correlation of dy with w turned by 180 degrees and its channels exchanged;
/// then pads may be negative.
struct Correlation {
  /// Floats of one channel of a warp tile on its way out: 16 padded rows of 20, or 8 of 36.
  static constexpr int kStoreFloats = 16 * 20;

  int C = 0, H = 0, W = 0, K = 0, P = 0, Q = 0, R = 0, S = 0, pad_h = 0, pad_w = 0;
  int64_t N = 0;

  // A block of 8 warps computes 8 k_warps channels of 8/k_warps warp tiles, one above the other; a warp tile
  // is 8 channels of 8 x 32 or 16 x 16 pixels.
  int k_warps = 8;
  int tile_cols = 32;
  int parts = 1;  // of the channels C; more than one: sums go to the workspace

  int tile_k() const { return 8 * k_warps; }
  int k_blocks() const { return static_cast<int>(ceil_div(K, tile_k())); }
  int tile_rows() const { return 8 / k_warps * (256 / tile_cols); }
  int tiles_p() const { return static_cast<int>(ceil_div(P, tile_rows())); }
  int tiles_q() const { return static_cast<int>(ceil_div(Q, tile_cols)); }
  int64_t blocks() const { return int64_t{tiles_p()} * tiles_q() * k_blocks() * N; }
  int64_t packed_floats() const { return int64_t{k_blocks()} * tile_k() * C * R * S; }
  int64_t out_floats() const { return N * K * P * Q; }
  /// Floats from a row of the input's tile to the next, and in the tile.
  int pitch() const { return tile_cols == 32 ? 44 : 28; }
  int stage_floats() const { return (tile_rows() + R - 1) * pitch(); }
  size_t shared_bytes() const;
  /// Packed weights, then the parts.
  size_t workspace_bytes() const;
};

/// The correlation of fprop or dgrad.
Correlation plan_correlation(const ConvProblem& problem, Direction direction);

struct CorrelationOperands {
  const float* in;    // [N, C, H, W]
  const float* w;     // the problem's weights [K, C, R, S]
  const float* bias;  // [K] or null
  float* out;         // [N, K, P, Q]
  bool turned;        // dgrad: w is [C, K, R, S] of the correlation and is turned
  bool add;           // to what is in out
  bool relu;
};

void correlate(const Exec& exec, const Correlation& plan, const CorrelationOperands& operands);

/// wgrad, and how it is cut. A block of 8 warps computes 8 k_warps output channels x 32 (8 / k_warps) kernel
/// rows (c, r) from its part of the pieces of dy: kRows rows x `segment` columns each.
struct WeightGradient {
  static constexpr int kRows = 2;

  ConvProblem problem;
  int k_warps = 8;
  int segment = 28;  // a multiple of 4
  int parts = 1;     // of the pieces; more than one: sums go to the workspace

  int k_blocks() const { return static_cast<int>(ceil_div(problem.K, 8 * k_warps)); }
  int64_t blocks() const { return k_blocks() * ceil_div(problem.C * problem.R, 32 * (8 / k_warps)); }
  int pieces_p() const { return static_cast<int>(ceil_div(problem.P(), kRows)); }
  int pieces_q() const { return static_cast<int>(ceil_div(problem.Q(), segment)); }
  int64_t pieces() const { return problem.N * pieces_p() * pieces_q(); }
  /// Floats from a row of the tile of x to the next, and to the next channel; of a piece of dy; of both.
  int pitch() const;
  int plane() const;
  int dy_floats() const { return 8 * k_warps * kRows * segment; }
  int stage_floats() const;
  size_t shared_bytes() const;
  /// The parts.
  size_t workspace_bytes() const;
};

WeightGradient plan_weight_gradient(const ConvProblem& problem);

/// x [N, C, H, W] and dy [N, K, P, Q] to dw [K, C, R, S], overwritten or added to.
void weight_gradient(const Exec& exec, const WeightGradient& plan, const float* x, const float* dy, float* dw,
                     bool add);

/// out[plane][i] = (or +=) the sum over part of parts[part][plane][i], in the order of the parts, +
/// bias[plane % K], perhaps through the ReLU.
struct PartSum {
  const float* parts;  // [count][planes][size]
  int count;
  int64_t planes, size;
  const float* bias;  // [K] or null
  int K;
  float* out;
  bool add, relu;
};

void sum_parts(const Exec& exec, const PartSum& sum);

}  // namespace kernels::cuda
