// expect: (cp.async|race)
// check: race,sync
// status: 86
#include <cuda_pipeline.h>

#include "bug.h"

__global__ void copy(const float* in, float* out, int wait) {
  __shared__ __align__(16) float stage[128];
  __pipeline_memcpy_async(&stage[threadIdx.x * 4], &in[threadIdx.x * 4], 16);
  __pipeline_commit();
  if (wait) __pipeline_wait_prior(0);
  __syncthreads();
  for (int i = 0; i < 4; ++i) out[threadIdx.x + i * 32] = stage[threadIdx.x + i * 32];  // BUG
  if (!wait) __pipeline_wait_prior(0);
}

int main(int argc, char** argv) {
  copy<<<1, 32>>>(device_memory<float>(128), device_memory<float>(128), !wants_bug(argc, argv));
  return finish();
}
