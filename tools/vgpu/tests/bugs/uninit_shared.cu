// expect: uninitialised read of 4 bytes of shared memory
// check: uninit
// status: 86
// first: block (0,0,0) thread (0,0,0)
#include "bug.h"

__global__ void blur(const float* in, float* out, int halo) {
  __shared__ float tile[66];
  int t = int(threadIdx.x);
  tile[t + 1] = in[t];
  if (t < halo) tile[t * 65] = 0;
  __syncthreads();
  out[t] = (tile[t] + tile[t + 1] + tile[t + 2]) / 3;  // BUG
}

int main(int argc, char** argv) {
  blur<<<1, 64>>>(device_memory<float>(64), device_memory<float>(64), wants_bug(argc, argv) ? 0 : 2);
  return finish();
}
