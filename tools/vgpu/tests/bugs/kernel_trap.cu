// expect: trap
// status: 3
// error: 719
// at: block (1,0,0) thread (7,0,0)
#include "bug.h"

__global__ void check(const int* in) {
  if (in[blockIdx.x * blockDim.x + threadIdx.x] != 0) __trap();  // BUG
}

int main(int argc, char** argv) {
  int *in = device_memory<int>(128), one = 1;
  if (wants_bug(argc, argv)) cudaMemcpy(in + 64 + 7, &one, sizeof one, cudaMemcpyHostToDevice);
  check<<<2, 64>>>(in);
  return finish();
}
