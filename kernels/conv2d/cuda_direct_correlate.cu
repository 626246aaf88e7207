// fprop and dgrad of cuda.direct: out[n,k,p,q] = sum over c,r,s of in[n,c,p-pad_h+r,q-pad_w+s] w[k,c,r,s].
// A thread keeps 8 channels x 8 neighbouring pixels in registers. The block walks over (c, r): it holds the
// input tile of channel c with its halo in shared memory (two of them: the next one is on its way) and the
// weights of row (c, r), [s][k] (two of them). One row of kernel costs a thread 2 to 5 loads of 16 bytes of
// input, 2 S of weights, the same for the whole warp, and 64 S multiply-adds. No bank conflicts: a row of the
// tile is an odd number of 16-byte units long (mod 8), so that the 8 lanes of a quarter warp read 8 different
// units; for tiles of 16 x 16 their rows are chosen to that end (pixel_row).
#include <cuda_pipeline_primitives.h>

#include "kernels/base/cuda_launch.h"
#include "kernels/conv2d/cuda_direct.h"
#include "kernels/conv2d/cuda_direct_copy.cuh"

namespace kernels::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int kThreadK = 8, kThreadPixels = 8;
constexpr int kStorePitch = 36, kSquareStorePitch = 20;  // floats a row of a warp's tile on its way out
constexpr int kStoreFloats = Correlation::kStoreFloats;
static_assert(kStoreFloats >= 16 * kSquareStorePitch && kStoreFloats >= 8 * kStorePitch);

/// What the kernel gets. Pointers are those of this call: `out` may be the parts.
struct Job {
  const float* in;
  const float* weights;  // [k block][C][R][S][8 k_warps]
  const float* bias;
  float* out;
  int C, H, W, K, P, Q, R, pad_h, pad_w;
  int k_warps, tile_cols, pitch, stage_floats;  // of the input tile
  int k_blocks, tiles_p, tiles_q, parts;
  int64_t part_floats;
  bool add, relu;
};

/// The block's place in the output.
struct Place {
  int k, p, q;
  int64_t n;
};

__device__ Place place_of(const Job& job) {
  uint32_t i = blockIdx.x;
  const int k = i % job.k_blocks * kThreadK * job.k_warps;
  i /= job.k_blocks;
  const int q = i % job.tiles_q * job.tile_cols;
  i /= job.tiles_q;
  const int rows = 8 / job.k_warps * (256 / job.tile_cols);
  return {k, static_cast<int>(i % job.tiles_p) * rows, q, i / job.tiles_p};
}

/// Row of a lane's pixels in its warp's tile. In a square tile the 4 rows of a quarter warp are {0,3,4,7} or
/// {1,2,5,6}: times 3 or 7 units a row, and with the second group of 8 columns 2 units on, these are 8
/// different units mod 8.
__device__ int pixel_row(int lane, bool square) {
  if (!square) return lane / 4;
  const int quarter = lane / 8, i = lane % 8 / 2;
  return quarter / 2 * 8 + 2 * i + (quarter % 2 == 0 ? i % 2 : 1 - i % 2);
}

/// Starts the copies of rows first, first + step, ... of the input tile of one channel; zeros outside the
/// image, where nothing is read.
template <int S>
__device__ void copy_rows(const Job& job, const Place& at, const float* plane, float* to, int first,
                          int step) {
  const int width = (job.tile_cols + S - 1 + 3) / 4 * 4;
  const int rows = 8 / job.k_warps * (256 / job.tile_cols) + job.R - 1;
#pragma unroll 1
  for (int row = first; row < rows; row += step) {
    const int h = at.p - job.pad_h + row;
    const bool row_inside = h >= 0 && h < job.H;
    const float* from = plane + int64_t{h} * job.W + at.q - job.pad_w;
#pragma unroll 1
    for (int col = first_column(from, width); col < width; col += 32) {
      const int w = at.q - job.pad_w + col;
      const bool inside = row_inside && w >= 0 && w < job.W;
      if (col >= 0) __pipeline_memcpy_async(to + row * job.pitch + col, from + col, 4, inside ? 0 : 4);
    }
  }
}

template <int S>
__device__ void copy_weights(const Job& job, const float* from, float* to) {
  if (threadIdx.x < S * job.k_warps * kThreadK / 4) {
    __pipeline_memcpy_async(to + threadIdx.x * 4, from + threadIdx.x * 4, 16);
  }
}

/// One row of the kernel: sum[k][i] += in[i + s] w[s][k].
template <int S>
__device__ void multiply_row(const float* in, const float* weights, int tile_k,
                             float (&sum)[kThreadK][kThreadPixels]) {
  constexpr int kWindow = (kThreadPixels + S - 1 + 3) / 4 * 4;
  float window[kWindow];
#pragma unroll
  for (int i = 0; i < kWindow; i += 4) {
    *reinterpret_cast<float4*>(window + i) = *reinterpret_cast<const float4*>(in + i);
  }
#pragma unroll
  for (int s = 0; s < S; ++s) {
    float w[kThreadK];
    *reinterpret_cast<float4*>(w) = *reinterpret_cast<const float4*>(weights + s * tile_k);
    *reinterpret_cast<float4*>(w + 4) = *reinterpret_cast<const float4*>(weights + s * tile_k + 4);
#pragma unroll
    for (int k = 0; k < kThreadK; ++k) {
#pragma unroll
      for (int i = 0; i < kThreadPixels; ++i) sum[k][i] = fmaf(window[s + i], w[k], sum[k][i]);
    }
  }
}

/// Stores one channel of a warp's tile, laid out in `tile`, whole rows at a time; of a square one two, 4
/// apart, which lie in different banks.
__device__ void store_channel(const Job& job, const float* tile, int64_t plane, int k, int p, int q) {
  const int lane = threadIdx.x % 32;
  const bool square = job.tile_cols == 16;
  const int pitch = square ? kSquareStorePitch : kStorePitch;
  const int row = square ? lane / 16 * 4 : 0, col = square ? lane % 16 : lane;
  if (q + col >= job.Q) return;
  const float bias = job.bias == nullptr ? 0.0f : job.bias[k];
  float* to = job.out + plane * job.P * job.Q + q + col;
  for (int i = 0; i < 8; ++i) {
    const int r = row + (square ? i / 4 * 8 + i % 4 : i);
    if (p + r >= job.P) continue;
    float& out = to[int64_t{p + r} * job.Q];
    float value = tile[r * pitch + col] + bias;
    if (job.add) value += out;
    out = job.relu && value < 0.0f ? 0.0f : value;
  }
}

template <int S>
__global__ void __launch_bounds__(kThreads, 2) conv_direct_correlate(Job job) {
  extern __shared__ float4 shared[];
  const Place at = place_of(job);
  const int part = blockIdx.y, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int k_warp = warp % job.k_warps, tile_k = job.k_warps * kThreadK;
  const bool square = job.tile_cols == 16;
  const int first_row = warp / job.k_warps * (256 / job.tile_cols);  // of the warp's tile
  const int row = pixel_row(lane, square), group = square ? lane % 2 : lane % 4;

  float* const tiles = reinterpret_cast<float*>(shared);
  float* const weights = tiles + 2 * job.stage_floats;
  const int begin = static_cast<int>(int64_t{part} * job.C / job.parts);
  const int end = static_cast<int>(int64_t{part + 1} * job.C / job.parts);
  const int64_t plane_floats = int64_t{job.H} * job.W;
  const float* next_plane = job.in + (at.n * job.C + begin) * plane_floats;
  const float* next_weights = job.weights + (int64_t{at.k / tile_k} * job.C + begin) * job.R * S * tile_k;
  const int pixel = (first_row + row) * job.pitch + group * kThreadPixels;

  float sum[kThreadK][kThreadPixels] = {};
  copy_rows<S>(job, at, next_plane, tiles, warp, 8);
  copy_weights<S>(job, next_weights, weights);
  __pipeline_commit();
  int buffer = 0;  // of the weights
  for (int c = begin; c < end; ++c) {
    const int tile = (c - begin) % 2;
    next_plane += plane_floats;
    for (int r = 0; r < job.R; ++r) {
      __pipeline_wait_prior(0);
      __syncthreads();
      next_weights += S * tile_k;
      if (c + 1 < end) {
        copy_rows<S>(job, at, next_plane, tiles + (1 - tile) * job.stage_floats, r * 8 + warp, job.R * 8);
      }
      if (c + 1 < end || r + 1 < job.R)
        copy_weights<S>(job, next_weights, weights + (1 - buffer) * S * tile_k);
      __pipeline_commit();
      multiply_row<S>(tiles + tile * job.stage_floats + pixel + r * job.pitch,
                      weights + buffer * S * tile_k + k_warp * kThreadK, tile_k, sum);
      buffer = 1 - buffer;
    }
  }

  __syncthreads();
  float4* const out_tile = shared + warp * kStoreFloats / 4;
  const int at_store = (row * (square ? kSquareStorePitch : kStorePitch) + group * kThreadPixels) / 4;
  job.out += part * job.part_floats;
#pragma unroll
  for (int i = 0; i < kThreadK; ++i) {
    const int k = at.k + k_warp * kThreadK + i;
    out_tile[at_store] = {sum[i][0], sum[i][1], sum[i][2], sum[i][3]};
    out_tile[at_store + 1] = {sum[i][4], sum[i][5], sum[i][6], sum[i][7]};
    __syncwarp();
    if (k < job.K) {
      store_channel(job, reinterpret_cast<const float*>(out_tile), at.n * job.K + k, k, at.p + first_row,
                    at.q);
    }
    __syncwarp();
  }
}

/// Packs w for the correlation: packed[k / tile_k][c][r][s][k % tile_k], zeros from K on. A block turns 32
/// taps x 32 channels, so that it reads along the taps and writes along the channels.
struct Packing {
  const float* w;
  float* packed;
  int C, K, taps, tile_k;
  bool turned;
};

__global__ void __launch_bounds__(kThreads) conv_direct_pack(Packing t) {
  __shared__ float tile[32][33];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int64_t total = int64_t{t.C} * t.taps, first = int64_t{blockIdx.x} * 32;
  const int k0 = blockIdx.y * 32, padded = (t.K + t.tile_k - 1) / t.tile_k * t.tile_k;
  const int64_t from = first + lane;
  const int64_t c = from / t.taps;
  const auto tap = static_cast<int>(from - c * t.taps);
  for (int j = warp; j < 32; j += 8) {
    const int64_t k = k0 + j;
    const int64_t index = t.turned ? (c * t.K + k) * t.taps + t.taps - 1 - tap : k * total + from;
    tile[j][lane] = from < total && k < t.K ? t.w[index] : 0.0f;
  }
  __syncthreads();
  const int k = k0 + lane;
  for (int j = warp; j < 32 && first + j < total; j += 8) {
    if (k < padded) t.packed[(k / t.tile_k * total + first + j) * t.tile_k + k % t.tile_k] = tile[lane][j];
  }
}

using Kernel = void (*)(Job);

Kernel kernel_for(int S) {
  switch (S) {
    case 3:
      return conv_direct_correlate<3>;
    case 5:
      return conv_direct_correlate<5>;
    case 7:
      return conv_direct_correlate<7>;
    case 9:
      return conv_direct_correlate<9>;
    default:
      return conv_direct_correlate<11>;
  }
}

}  // namespace

void correlate(const Exec& exec, const Correlation& plan, const CorrelationOperands& t) {
  float* const packed = static_cast<float*>(exec.workspace.data);
  const Packing packing{t.w, packed, plan.C, plan.K, plan.R * plan.S, plan.tile_k(), t.turned};
  const dim3 pack_grid(blocks_for(int64_t{plan.C} * plan.R * plan.S, 32),
                       blocks_for(int64_t{plan.k_blocks()} * plan.tile_k(), 32));
  launch(exec, {"conv_direct_pack", {{"c", plan.C}, {"k", plan.K}}}, pack_grid, kThreads, 0, conv_direct_pack,
         packing);

  const bool split = plan.parts > 1;
  float* const parts = packed + ceil_div(plan.packed_floats(), 16) * 16;
  const Job job{.in = t.in,
                .weights = packed,
                .bias = split ? nullptr : t.bias,
                .out = split ? parts : t.out,
                .C = plan.C,
                .H = plan.H,
                .W = plan.W,
                .K = plan.K,
                .P = plan.P,
                .Q = plan.Q,
                .R = plan.R,
                .pad_h = plan.pad_h,
                .pad_w = plan.pad_w,
                .k_warps = plan.k_warps,
                .tile_cols = plan.tile_cols,
                .pitch = plan.pitch(),
                .stage_floats = plan.stage_floats(),
                .k_blocks = plan.k_blocks(),
                .tiles_p = plan.tiles_p(),
                .tiles_q = plan.tiles_q(),
                .parts = plan.parts,
                .part_floats = plan.out_floats(),
                .add = !split && t.add,
                .relu = !split && t.relu};
  const Site site{"conv_direct_correlate",
                  {{"n", plan.N}, {"c", plan.C}, {"h", plan.H}, {"w", plan.W}, {"k", plan.K}, {"r", plan.R}}};
  launch(exec, site, dim3(static_cast<uint32_t>(plan.blocks()), static_cast<uint32_t>(plan.parts)), kThreads,
         plan.shared_bytes(), kernel_for(plan.S), job);
  if (!split) return;
  sum_parts(exec, {.parts = parts,
                   .count = plan.parts,
                   .planes = plan.N * plan.K,
                   .size = int64_t{plan.P} * plan.Q,
                   .bias = t.bias,
                   .K = plan.K,
                   .out = t.out,
                   .add = t.add,
                   .relu = t.relu});
}

}  // namespace kernels::cuda
