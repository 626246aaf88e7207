// expect: race: .* of shared offset
// check: race
// status: 86
#include "bug.h"

// Half of the warp has met; that does not order the other half, nor anything later.
__global__ void broadcast(int* data, int barrier) {
  __shared__ int word;
  if (threadIdx.x == 0) word = data[0];  // BUG
  __syncwarp();
  if (threadIdx.x < 16) __syncwarp(0xFFFF);
  data[threadIdx.x] = word;  // BUG
  if (barrier) __syncwarp();
  if (threadIdx.x == 0) word = 1;  // BUG
  if (barrier) __syncwarp();
  data[threadIdx.x] += word;  // BUG
}

int main(int argc, char** argv) {
  broadcast<<<1, 32>>>(device_memory<int>(32), !wants_bug(argc, argv));
  return finish();
}
