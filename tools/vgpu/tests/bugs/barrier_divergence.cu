// expect: barrier divergence
// check: sync
// status: 86
#include "bug.h"

__global__ void partial(float* data, int limit) {
  __shared__ float tile[64];
  tile[threadIdx.x] = data[threadIdx.x];
  if (int(threadIdx.x) < limit) {
    __syncthreads();  // BUG
    data[threadIdx.x] = tile[0];
  }
  data[threadIdx.x] += 1;
}

int main(int argc, char** argv) {
  partial<<<1, 64>>>(device_memory<float>(64), wants_bug(argc, argv) ? 40 : 64);
  return finish();
}
