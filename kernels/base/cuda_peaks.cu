// The loops that measure a device's peaks: FMAs in registers, and a triad over global memory.
#include "kernels/base/cuda_launch.h"
#include "kernels/base/cuda_twins.h"
#include "kernels/base/device_runtime.h"

namespace kernels {

namespace {

constexpr int kThreads = 256;
constexpr int kChains = 8;  // independent, so that throughput, not latency, bounds them

/// out[thread] depends on every FMA, which keeps the compiler from dropping them.
__global__ void __launch_bounds__(kThreads) fma_burst(int rounds, float* out) {
  float chain[kChains];
  const unsigned thread = blockIdx.x * kThreads + threadIdx.x;
#pragma unroll
  for (int i = 0; i < kChains; ++i) chain[i] = static_cast<float>(thread + i);
  for (int round = 0; round < rounds; ++round) {
#pragma unroll
    for (int i = 0; i < kChains; ++i) chain[i] = fmaf(chain[i], 0.999f, 1e-6f);
  }
  float sum = 0;
#pragma unroll
  for (int i = 0; i < kChains; ++i) sum += chain[i];
  out[thread] = sum;
}

/// a = b + 3 c, four floats a thread.
__global__ void __launch_bounds__(kThreads)
    triad(int64_t quads, const float4* b, const float4* c, float4* a) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= quads) return;
  const float4 x = b[i], y = c[i];
  a[i] = {x.x + 3.0f * y.x, x.y + 3.0f * y.y, x.z + 3.0f * y.z, x.w + 3.0f * y.w};
}

}  // namespace

double cuda_fma_burst(const Exec& exec, int blocks, int rounds, float* out) {
  cuda::launch(exec, {"fma_burst", {{"blocks", blocks}, {"rounds", rounds}}}, static_cast<uint32_t>(blocks),
               kThreads, 0, fma_burst, rounds, out);
  return 2.0 * kChains * kThreads * blocks * rounds;
}

void cuda_triad(const Exec& exec, int64_t count, const float* b, const float* c, float* a) {
  const int64_t quads = count / 4;
  cuda::launch(exec, {"triad", {{"count", count}}}, cuda::blocks_for(quads, kThreads), kThreads, 0, triad,
               quads, reinterpret_cast<const float4*>(b), reinterpret_cast<const float4*>(c),
               reinterpret_cast<float4*>(a));
}

}  // namespace kernels
