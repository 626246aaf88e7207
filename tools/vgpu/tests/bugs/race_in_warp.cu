// expect: race: .* of shared offset
// check: race
// status: 86
#include "bug.h"

__global__ void neighbours(int* data, int barrier) {
  __shared__ int tile[32];
  tile[threadIdx.x] = data[threadIdx.x];  // BUG
  if (barrier) __syncwarp();
  data[threadIdx.x] = tile[threadIdx.x ^ 1];  // BUG
}

int main(int argc, char** argv) {
  neighbours<<<1, 32>>>(device_memory<int>(32), !wants_bug(argc, argv));
  return finish();
}
