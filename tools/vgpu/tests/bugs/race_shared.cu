// expect: race: .* of shared offset
// check: race
// status: 86
#include "bug.h"

__global__ void reverse(float* data, int barrier) {
  __shared__ float tile[128];
  tile[threadIdx.x] = data[threadIdx.x];  // BUG
  if (barrier) __syncthreads();
  data[threadIdx.x] = tile[127 - threadIdx.x];  // BUG
}

int main(int argc, char** argv) {
  reverse<<<1, 128>>>(device_memory<float>(128), !wants_bug(argc, argv));
  return finish();
}
