// expect: race: .* of global memory
// check: race
// status: 86
#include "bug.h"

__global__ void count(int* counter, int atomic) {
  if (threadIdx.x != 0) return;
  if (atomic)
    atomicAdd(counter, 1);
  else
    *counter = *counter + 1;  // BUG
}

int main(int argc, char** argv) {
  count<<<4, 32>>>(device_memory<int>(1), !wants_bug(argc, argv));
  return finish();
}
