// wgrad of cuda.direct: dw[k,c,r,s] = sum over n,p,q of dy[n,k,p,q] x[n,c,p-pad_h+r,q-pad_w+s].
// A thread keeps 8 output channels x the S taps of one kernel row (c, r) in registers; the lanes of a warp
// are 32 neighbouring (c, r), so that 3 channels of a 9 x 9 kernel fill 27 of them. The block walks over
// pieces of dy, 2 rows of a segment of columns, which it holds in shared memory with the rows of x that they
// meet, two of each: the next piece is on its way. Four pixels cost a thread 8 loads of 16 bytes of dy, the
// same for the whole warp, 2 to 4 of x, and 32 S multiply-adds. No bank conflicts: (c, r) lies c plane + r
// pitch floats into the tile of x, the pitch an odd number of 16-byte units and the plane R of them (mod 8),
// so that 8 neighbouring lanes read 8 different units.
#include <cuda_pipeline_primitives.h>

#include "kernels/base/cuda_launch.h"
#include "kernels/conv2d/cuda_direct.h"
#include "kernels/conv2d/cuda_direct_copy.cuh"

namespace kernels::cuda {

namespace {

constexpr int kThreads = 256, kWarps = kThreads / 32;
constexpr int kThreadK = 8;
constexpr int kRows = WeightGradient::kRows;

/// Pointers are those of this call: `out` may be the parts.
struct Job {
  const float* x;
  const float* dy;
  float* out;
  int C, H, W, K, P, Q, R, pad_h, pad_w;
  int k_warps, segment, pitch, plane, dy_floats, stage_floats;  // of the tiles
  int k_blocks, pieces_p, pieces_q, parts;
  int64_t pieces, part_floats;
  bool add;
};

/// A block's rows of dw, output channel k on and kernel row cr = c R + r on, and the channels of x they take.
struct Place {
  int k, cr, first_channel, channels;
};

__device__ Place place_of(const Job& job) {
  const int rows = 32 * (kWarps / job.k_warps);
  const int cr = static_cast<int>(blockIdx.x) / job.k_blocks * rows;
  const int last = min(cr + rows, job.C * job.R) - 1;
  return {static_cast<int>(blockIdx.x) % job.k_blocks * job.k_warps * kThreadK, cr, cr / job.R,
          last / job.R - cr / job.R + 1};
}

/// Starts the copy of one row of a plane of `height` x `width`, zeros outside it, into `count` floats.
__device__ void copy_row(const float* plane, int height, int width, int row, int col, int count, float* to) {
  const bool row_inside = row >= 0 && row < height;
  const float* from = plane + int64_t{row} * width + col;
  for (int i = first_column(from, count); i < count; i += 32) {
    const bool inside = row_inside && col + i >= 0 && col + i < width;
    if (i >= 0) __pipeline_memcpy_async(to + i, from + i, 4, inside ? 0 : 4);
  }
}

/// Starts the copies of one piece: dy as [k][row][segment], x as [channel][row][pitch].
template <int kWindow>
__device__ void copy_piece(const Job& job, const Place& at, int64_t piece, float* to) {
  const int warp = threadIdx.x / 32;
  const int q = static_cast<int>(piece % job.pieces_q) * job.segment;
  const int64_t row_piece = piece / job.pieces_q;
  const int p = static_cast<int>(row_piece % job.pieces_p) * kRows;
  const int64_t n = row_piece / job.pieces_p;
  const int64_t dy_plane = int64_t{job.P} * job.Q, x_plane = int64_t{job.H} * job.W;
  const float* dy = job.dy + (n * job.K + at.k) * dy_plane;
  for (int i = warp; i < job.k_warps * kThreadK * kRows; i += kWarps) {
    const int k = i / kRows;
    copy_row(dy + k * dy_plane, at.k + k < job.K ? job.P : 0, job.Q, p + i % kRows, q, job.segment,
             to + i * job.segment);
  }
  const float* x = job.x + (n * job.C + at.first_channel) * x_plane;
  const int rows = job.R + kRows - 1, width = job.segment - 4 + kWindow;
  int channel = warp / rows, row = warp % rows;
  for (int i = warp; i < at.channels * rows; i += kWarps) {
    copy_row(x + channel * x_plane, job.H, job.W, p - job.pad_h + row, q - job.pad_w, width,
             to + job.dy_floats + channel * job.plane + row * job.pitch);
    row += kWarps;
    while (row >= rows) {
      row -= rows;
      ++channel;
    }
  }
}

/// Four pixels: sum[k][s] += dy[k][i] x[i + s].
template <int S, int kWindow>
__device__ void multiply_pixels(const float* dy, int dy_stride, const float* x, float (&sum)[kThreadK][S]) {
  float window[kWindow];
#pragma unroll
  for (int i = 0; i < kWindow; i += 4) {
    *reinterpret_cast<float4*>(window + i) = *reinterpret_cast<const float4*>(x + i);
  }
#pragma unroll
  for (int k = 0; k < kThreadK; ++k) {
    float d[4];
    *reinterpret_cast<float4*>(d) = *reinterpret_cast<const float4*>(dy + k * dy_stride);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
#pragma unroll
      for (int s = 0; s < S; ++s) sum[k][s] = fmaf(window[i + s], d[i], sum[k][s]);
    }
  }
}

/// Stores a warp's sums, one output channel after the other, turned in `tile` so that the lanes write
/// neighbours.
template <int S>
__device__ void store_sums(const Job& job, float* tile, const float (&sum)[kThreadK][S], int first_k,
                           int first_cr) {
  const int lane = threadIdx.x % 32;
  const int64_t row = int64_t{job.C} * job.R * S, first = int64_t{first_cr} * S;
#pragma unroll
  for (int k = 0; k < kThreadK; ++k) {
#pragma unroll
    for (int s = 0; s < S; ++s) tile[lane * S + s] = sum[k][s];
    __syncwarp();
    for (int i = lane; i < 32 * S && first_k + k < job.K && first + i < row; i += 32) {
      float& out = job.out[blockIdx.y * job.part_floats + (first_k + k) * row + first + i];
      out = job.add ? out + tile[i] : tile[i];
    }
    __syncwarp();
  }
}

template <int S>
__global__ void __launch_bounds__(kThreads, 2) conv_direct_wgrad(Job job) {
  constexpr int kWindow = (4 + S - 1 + 3) / 4 * 4;
  extern __shared__ float4 shared[];
  float* const stages = reinterpret_cast<float*>(shared);
  const Place at = place_of(job);
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int warp_k = warp % job.k_warps * kThreadK, warp_cr = at.cr + warp / job.k_warps * 32;
  const int cr =
      min(warp_cr + lane, job.C * job.R - 1);  // lanes beyond the last row compute it too, for nobody
  const int dy_stride = kRows * job.segment;
  const int x_at = job.dy_floats + (cr / job.R - at.first_channel) * job.plane + cr % job.R * job.pitch;
  const int64_t part = blockIdx.y;
  const int64_t begin = part * job.pieces / job.parts, end = (part + 1) * job.pieces / job.parts;

  float sum[kThreadK][S] = {};
  copy_piece<kWindow>(job, at, begin, stages);
  __pipeline_commit();
  for (int64_t piece = begin; piece < end; ++piece) {
    const float* stage = stages + (piece - begin) % 2 * job.stage_floats;
    __pipeline_wait_prior(0);
    __syncthreads();
    if (piece + 1 < end)
      copy_piece<kWindow>(job, at, piece + 1, stages + (piece + 1 - begin) % 2 * job.stage_floats);
    __pipeline_commit();
#pragma unroll 1
    for (int row = 0; row < kRows; ++row) {
      const float* dy = stage + warp_k * dy_stride + row * job.segment;
      const float* x = stage + x_at + row * job.pitch;
#pragma unroll 1
      for (int i = 0; i < job.segment; i += 4) multiply_pixels<S, kWindow>(dy + i, dy_stride, x + i, sum);
    }
  }
  __syncthreads();
  store_sums<S>(job, stages + warp * 32 * S, sum, at.k + warp_k, warp_cr);
}

using Kernel = void (*)(Job);

Kernel kernel_for(int S) {
  switch (S) {
    case 3:
      return conv_direct_wgrad<3>;
    case 5:
      return conv_direct_wgrad<5>;
    case 7:
      return conv_direct_wgrad<7>;
    case 9:
      return conv_direct_wgrad<9>;
    default:
      return conv_direct_wgrad<11>;
  }
}

}  // namespace

void weight_gradient(const Exec& exec, const WeightGradient& plan, const float* x, const float* dy, float* dw,
                     bool add) {
  const ConvProblem& c = plan.problem;
  const auto size = [](int64_t value) { return static_cast<int>(value); };
  const bool split = plan.parts > 1;
  float* const parts = static_cast<float*>(exec.workspace.data);
  const Job job{.x = x,
                .dy = dy,
                .out = split ? parts : dw,
                .C = size(c.C),
                .H = size(c.H),
                .W = size(c.W),
                .K = size(c.K),
                .P = size(c.P()),
                .Q = size(c.Q()),
                .R = size(c.R),
                .pad_h = size(c.pad_h),
                .pad_w = size(c.pad_w),
                .k_warps = plan.k_warps,
                .segment = plan.segment,
                .pitch = plan.pitch(),
                .plane = plan.plane(),
                .dy_floats = plan.dy_floats(),
                .stage_floats = plan.stage_floats(),
                .k_blocks = plan.k_blocks(),
                .pieces_p = plan.pieces_p(),
                .pieces_q = plan.pieces_q(),
                .parts = plan.parts,
                .pieces = plan.pieces(),
                .part_floats = c.w_size(),
                .add = !split && add};
  const Site site{"conv_direct_wgrad",
                  {{"n", c.N}, {"c", c.C}, {"h", c.H}, {"w", c.W}, {"k", c.K}, {"r", c.R}}};
  launch(exec, site, dim3(static_cast<uint32_t>(plan.blocks()), static_cast<uint32_t>(plan.parts)), kThreads,
         plan.shared_bytes(), kernel_for(size(c.S)), job);
  if (!split) return;
  sum_parts(exec, {.parts = parts,
                   .count = plan.parts,
                   .planes = c.K,
                   .size = c.C * c.R * c.S,
                   .bias = nullptr,
                   .K = size(c.K),
                   .out = dw,
                   .add = add,
                   .relu = false});
}

}  // namespace kernels::cuda
