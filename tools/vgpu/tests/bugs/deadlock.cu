// expect: deadlock
// status: 3
// error: 702
#include "bug.h"

__device__ void meet(int id) {
  asm volatile("bar.sync %0, 64;" ::"r"(id) : "memory");  // BUG
}

__global__ void two_warps(int* out, int different) {
  meet(threadIdx.x < 32 ? 1 : 1 + different);
  out[threadIdx.x] = 1;
}

int main(int argc, char** argv) {
  two_warps<<<1, 64>>>(device_memory<int>(64), wants_bug(argc, argv));
  return finish();
}
