// Sums over a block in a fixed order: the same bits from run to run.
#pragma once

namespace kernels::cuda {

/// For thread 0: the sum of `value` over all threads; the others get part of it. A warp adds its lanes in a
/// tree, the first warp those sums in another. kThreads = blockDim.x, a multiple of 32, at most 1024. All
/// threads call it; between two calls of one kernel lies a barrier.
template <int kThreads, class T>
__device__ T block_sum(T value) {
  constexpr int kLanes = 32, kWarps = kThreads / kLanes;
  constexpr unsigned kAll = 0xffffffffU;
  __shared__ T warps[kWarps];
  for (int step = kLanes / 2; step > 0; step /= 2) value += __shfl_down_sync(kAll, value, step);
  if (threadIdx.x % kLanes == 0) warps[threadIdx.x / kLanes] = value;
  __syncthreads();
  if (threadIdx.x < kLanes) {
    value = threadIdx.x < kWarps ? warps[threadIdx.x] : T(0);
    for (int step = kLanes / 2; step > 0; step /= 2) value += __shfl_down_sync(kAll, value, step);
  }
  return value;
}

}  // namespace kernels::cuda
