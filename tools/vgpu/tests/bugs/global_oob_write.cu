// expect: out-of-bounds global write of 4 bytes .*past the end of the 4000-byte allocation
// status: 3
// error: 700
// at: block (3,0,0) thread (232,0,0)
#include "bug.h"

__global__ void fill(float* out, int n) {
  int i = int(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) out[i] = float(i);  // BUG
}

int main(int argc, char** argv) {
  fill<<<4, 256>>>(device_memory<float>(1000), wants_bug(argc, argv) ? 1001 : 1000);
  return finish();
}
