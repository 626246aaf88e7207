// expect: barrier divergence: .* wait elsewhere
// check: sync
// status: 86
#include "bug.h"

__global__ void two_branches(float* data, int limit) {
  __shared__ float tile[64];
  tile[threadIdx.x] = data[threadIdx.x];
  if (int(threadIdx.x) < limit) {
    __syncthreads();  // BUG
    data[threadIdx.x] = tile[0];
  } else {
    __syncthreads();  // BUG
    data[threadIdx.x] = tile[1] + 2;
  }
}

int main(int argc, char** argv) {
  two_branches<<<1, 64>>>(device_memory<float>(64), wants_bug(argc, argv) ? 40 : 32);
  return finish();
}
