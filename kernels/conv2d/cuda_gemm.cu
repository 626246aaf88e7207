// 1x1 convolutions on CUDA are matrix products of an image's planes, pixels = H W:
//   y[n]  = w x[n]                 [K, pixels] = [K, C] [C, pixels]
//   dx[n] = transposed(w) dy[n]    [C, pixels] = [C, K] [K, pixels]
//   dw    = sum over n of dy[n] transposed(x[n])     [K, C]
// A block of 4 warps computes 64 rows x 128 columns, a thread 8 x 8 in registers, from slices of 8 of the
// depth in shared memory, [depth][row] and [depth][column], two of each: the next slice is on its way. A step
// of depth costs a thread 4 loads of 16 bytes and 64 multiply-adds. No bank conflicts: 8 lanes read 8
// neighbouring units of 16 bytes, and rows are 4 floats longer than the tile, so that turning a slice writes
// 32 different banks. Where the grid is small the depth is split; the parts are added in a second pass
// (cuda_sum_parts.cu).
#include <cuda_pipeline_primitives.h>

#include <algorithm>
#include <limits>

#include "kernels/base/cuda_launch.h"
#include "kernels/conv2d/cuda_direct.h"
#include "kernels/conv2d/cuda_rows.h"

namespace kernels {

namespace {

constexpr int kThreads = 128;
constexpr int kTileM = 64, kTileN = 128, kDepth = 8;
constexpr int kPitchM = kTileM + 4, kPitchN = kTileN + 4;

/// A factor: element (i, d) of image n at data[n image + i row + d], or + d row + i where it is `turned`.
struct Factor {
  const float* data;
  int64_t row, image;
};

/// out[n] = a[n] b[n], or the sum over n where `images` is more than one.
struct Job {
  Factor a, b;
  float* out;         // [batch][M][N], or the parts
  const float* bias;  // [M] or null
  int M, N, depth;
  int m_blocks, n_blocks, images;
  int slices, parts;  // of the depth, over all `images`
  int64_t part_floats;
  bool add, relu, vectors;  // vectors: rows of out are aligned to 16 bytes
};

/// Starts the copy of one slice of a factor: kTile x kDepth, zeros outside `count` and `depth`, where nothing
/// is read.
template <int kTile, bool kTurned>
__device__ void copy_slice(const Factor& t, int image, int first, int count, int d, int depth, float* to) {
  constexpr int kNeighbours = kTurned ? kTile : kDepth;  // of the factor's memory
  constexpr int kStep = kThreads / kNeighbours;          // across
  const int along = threadIdx.x % kNeighbours, across = threadIdx.x / kNeighbours;
  const bool along_inside = kTurned ? first + along < count : d + along < depth;
  const int left = (kTurned ? depth - d : count - first) - across;
  const float* from =
      t.data + image * t.image + ((kTurned ? d : first) + across) * t.row + (kTurned ? first : d) + along;
  to += kTurned ? across * (kTile + 4) + along : along * (kTile + 4) + across;
#pragma unroll
  for (int i = 0; i < kTile * kDepth / kThreads; ++i) {
    __pipeline_memcpy_async(to, from, 4, along_inside && i * kStep < left ? 0 : 4);
    from += kStep * t.row;
    to += kTurned ? kStep * (kTile + 4) : kStep;
  }
}

/// One slice: sum += a b. A warp has 32 rows x 64 columns, a lane 2 x 4 of either.
__device__ void multiply_slice(const float* a, const float* b, float (&sum)[8][8]) {
#pragma unroll
  for (int d = 0; d < kDepth; ++d) {
    float m[8], n[8];
    *reinterpret_cast<float4*>(m) = *reinterpret_cast<const float4*>(a + d * kPitchM);
    *reinterpret_cast<float4*>(m + 4) = *reinterpret_cast<const float4*>(a + d * kPitchM + 16);
    *reinterpret_cast<float4*>(n) = *reinterpret_cast<const float4*>(b + d * kPitchN);
    *reinterpret_cast<float4*>(n + 4) = *reinterpret_cast<const float4*>(b + d * kPitchN + 32);
#pragma unroll
    for (int i = 0; i < 8; ++i) {
#pragma unroll
      for (int j = 0; j < 8; ++j) sum[i][j] = fmaf(m[i], n[j], sum[i][j]);
    }
  }
}

__device__ float finish(const Job& job, float sum, float bias, const float& out) {
  const float value = job.add ? out + (sum + bias) : sum + bias;
  return job.relu && value < 0.0f ? 0.0f : value;
}

/// Four neighbours of a row.
__device__ void store_four(const Job& job, const float* sum, float bias, float* out, int count) {
  if (job.vectors && count >= 4) {
    auto& to = *reinterpret_cast<float4*>(out);
    const float4 old = job.add ? to : float4{};
    to = {finish(job, sum[0], bias, old.x), finish(job, sum[1], bias, old.y),
          finish(job, sum[2], bias, old.z), finish(job, sum[3], bias, old.w)};
    return;
  }
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    if (j < count) out[j] = finish(job, sum[j], bias, out[j]);
  }
}

template <bool kTurnedA, bool kTurnedB>
__global__ void __launch_bounds__(kThreads, 3) conv_gemm(Job job) {
  __shared__ alignas(16) float a[2][kDepth * kPitchM];
  __shared__ alignas(16) float b[2][kDepth * kPitchN];
  uint32_t block = blockIdx.x;
  const int m = static_cast<int>(block % job.m_blocks) * kTileM;
  block /= job.m_blocks;
  const int n = static_cast<int>(block % job.n_blocks) * kTileN;
  const int batch = static_cast<int>(block / job.n_blocks);
  const auto slice_of = [&](uint32_t part) {
    return static_cast<int>(int64_t{part} * job.slices / job.parts);
  };
  const int begin = slice_of(blockIdx.y), end = slice_of(blockIdx.y + 1);
  int image = batch + begin / (job.slices / job.images);  // of the next slice, and its depth
  int d = begin % (job.slices / job.images) * kDepth;
  const auto copy = [&](int buffer) {
    copy_slice<kTileM, kTurnedA>(job.a, image, m, job.M, d, job.depth, a[buffer]);
    copy_slice<kTileN, kTurnedB>(job.b, image, n, job.N, d, job.depth, b[buffer]);
    d += kDepth;
    if (d >= job.depth) {
      d = 0;
      ++image;
    }
  };
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int lane_m = warp / 2 * 32 + lane / 8 * 4, lane_n = warp % 2 * 64 + lane % 8 * 4;

  float sum[8][8] = {};
  copy(0);
  __pipeline_commit();
  for (int slice = begin; slice < end; ++slice) {
    __pipeline_wait_prior(0);
    __syncthreads();
    if (slice + 1 < end) copy((slice + 1 - begin) % 2);
    __pipeline_commit();
    multiply_slice(a[(slice - begin) % 2] + lane_m, b[(slice - begin) % 2] + lane_n, sum);
  }

  float* out = job.out + blockIdx.y * job.part_floats + int64_t{batch} * job.M * job.N;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const int row = m + lane_m + i % 4 + i / 4 * 16;
    if (row >= job.M) continue;
    const float bias = job.bias == nullptr ? 0.0f : job.bias[row];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int col = n + lane_n + half * 32;
      if (col < job.N)
        store_four(job, sum[i] + half * 4, bias, out + int64_t{row} * job.N + col, job.N - col);
    }
  }
}

/// The product of one direction, without pointers.
struct Plan {
  Job job;
  int64_t batch, blocks;

  size_t workspace_bytes() const {
    return job.parts > 1 ? sizeof(float) * static_cast<size_t>(job.parts * job.part_floats) : 0;
  }
};

/// As many parts as make two full grids, of at least 8 slices each.
Plan make_plan(const ConvProblem& c, Direction direction) {
  const auto size = [](int64_t value) { return static_cast<int>(value); };
  const bool fprop = direction == Direction::Fprop, wgrad = direction == Direction::Wgrad;
  const int64_t pixels = c.H * c.W;
  Plan plan{};
  Job& job = plan.job;
  job.M = size(fprop || wgrad ? c.K : c.C);
  job.N = size(wgrad ? c.C : pixels);
  job.depth = size(wgrad ? pixels : fprop ? c.C : c.K);
  job.a = {nullptr, wgrad ? pixels : c.C, wgrad ? c.K * pixels : 0};
  job.b = {nullptr, pixels, (fprop || wgrad ? c.C : c.K) * pixels};
  job.images = wgrad ? size(c.N) : 1;
  job.m_blocks = size(ceil_div(job.M, kTileM));
  job.n_blocks = size(ceil_div(job.N, kTileN));
  job.slices = size(ceil_div(job.depth, kDepth) * job.images);
  plan.batch = wgrad ? 1 : c.N;
  plan.blocks = int64_t{job.m_blocks} * job.n_blocks * plan.batch;
  job.part_floats = plan.batch * job.M * job.N;
  job.parts = size(std::clamp<int64_t>(2 * cuda::kFullGrid / plan.blocks, 1, std::max(1, job.slices / 8)));
  return plan;
}

std::string supports(const Exec&, const ConvProblem& c, Direction) {
  if (std::min({c.N, c.C, c.K, c.H, c.W}) < 1) return "an empty tensor";
  if (c.R != 1 || c.S != 1 || c.stride != 1 || c.pad_h != 0 || c.pad_w != 0) {
    return "only 1x1 kernels at stride 1 without padding are matrix products";
  }
  constexpr int64_t most = std::numeric_limits<int>::max();
  return std::max({c.N, c.C, c.K, c.H * c.W}) > most ? "a size is 2^31 or more" : "";
}

size_t workspace(const Exec&, const ConvProblem& problem, Direction direction) {
  return make_plan(problem, direction).workspace_bytes();
}

void run(const Exec& exec, const ConvProblem& c, Direction direction, const ConvOperands<float>& t,
         GradMode mode) {
  const bool fprop = direction == Direction::Fprop, dgrad = direction == Direction::Dgrad;
  if (!fprop && mode == GradMode::Ignore) return;
  Plan plan = make_plan(c, direction);
  Job& job = plan.job;
  require_workspace(exec, plan.workspace_bytes(), "cuda.gemm", c, direction);
  float* const out = t.output(direction);
  const bool add = !fprop && mode == GradMode::Accumulate, relu = fprop && t.relu, split = job.parts > 1;
  const float* const bias = fprop ? t.b : nullptr;
  float* const parts = static_cast<float*>(exec.workspace.data);
  job.a.data = fprop || dgrad ? t.w : t.dy;
  job.b.data = dgrad ? t.dy : t.x;
  job.out = split ? parts : out;
  job.bias = split ? nullptr : bias;
  job.add = !split && add;
  job.relu = !split && relu;
  job.vectors = job.N % 4 == 0 && reinterpret_cast<uintptr_t>(job.out) % 16 == 0;
  const auto kernel = fprop   ? conv_gemm<false, true>
                      : dgrad ? conv_gemm<true, true>
                              : conv_gemm<false, false>;
  cuda::launch(exec, {"conv_gemm", {{"n", c.N}, {"c", c.C}, {"h", c.H}, {"w", c.W}, {"k", c.K}}},
               dim3(static_cast<uint32_t>(plan.blocks), static_cast<uint32_t>(job.parts)), kThreads, 0,
               kernel, job);
  if (!split) return;
  cuda::sum_parts(exec, {.parts = parts,
                         .count = job.parts,
                         .planes = plan.batch * job.M,
                         .size = job.N,
                         .bias = bias,
                         .K = job.M,
                         .out = out,
                         .add = add,
                         .relu = relu});
}

}  // namespace

ConvRow<float> cuda_gemm_conv() {
  return {.name = "cuda.gemm",
          .backend = Backend::Cuda,
          .supports = supports,
          .workspace = workspace,
          .run = run};
}

}  // namespace kernels
