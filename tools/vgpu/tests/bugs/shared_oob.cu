// expect: out-of-bounds shared write of 4 bytes
// status: 3
// error: 700
// at: block (0,0,0) thread (64,0,0)
#include "bug.h"

__global__ void reverse(float* data) {
  __shared__ float tile[64];
  tile[threadIdx.x] = data[threadIdx.x];  // BUG
  __syncthreads();
  data[threadIdx.x] = tile[63 - threadIdx.x];
}

int main(int argc, char** argv) {
  reverse<<<1, wants_bug(argc, argv) ? 65 : 64>>>(device_memory<float>(128));
  return finish();
}
