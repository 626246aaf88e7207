// expect: endless loop\?
// set: VGPU_BUDGET=2000000
// status: 3
// error: 702
// at: block (0,0,0) thread (0,0,0)
#include "bug.h"

__global__ void wait_for(volatile int* flag) {
  while (*flag == 0) {  // BUG
  }
}

int main(int argc, char** argv) {
  int* flag = device_memory<int>(1);
  if (!wants_bug(argc, argv)) cudaMemset(flag, 1, sizeof(int));
  wait_for<<<1, 1>>>(flag);
  return finish();
}
