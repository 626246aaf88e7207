// expect: (does not take part|member mask)
// check: sync
// status: 86
#include "bug.h"

__global__ void sum(int* data, unsigned active) {
  int value = data[threadIdx.x];
  if (threadIdx.x < active) value += __shfl_down_sync(active == 32 ? 0xFFFFFFFFu : 0xFFFFu, value, 4);  // BUG
  data[threadIdx.x] = value;
}

int main(int argc, char** argv) {
  sum<<<1, 32>>>(device_memory<int>(32), wants_bug(argc, argv) ? 16 : 32);
  return finish();
}
