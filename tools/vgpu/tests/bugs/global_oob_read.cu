// expect: out-of-bounds global read of 4 bytes .*before the
// status: 3
// error: 700
// first: block (0,0,0) thread (0,0,0)
#include "bug.h"

__global__ void difference(const float* in, float* out, int first) {
  int i = int(threadIdx.x) + first;
  float left = in[i - 1];  // BUG
  out[i] = in[i] - left;
}

int main(int argc, char** argv) {
  difference<<<1, 63>>>(device_memory<float>(64), device_memory<float>(64), wants_bug(argc, argv) ? 0 : 1);
  return finish();
}
