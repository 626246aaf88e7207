// expect: uninitialised read of 4 bytes of global memory
// check: uninit
// status: 86
// first: block (1,0,0) thread (0,0,0)
#include "bug.h"

__global__ void accumulate(float* sum, const float* in) {
  int i = int(blockIdx.x * blockDim.x + threadIdx.x);
  sum[i] += in[i];  // BUG
}

int main(int argc, char** argv) {
  float* sum = device_memory<float>(64, false);
  cudaMemset(sum, 0, wants_bug(argc, argv) ? 32 * sizeof(float) : 64 * sizeof(float));
  accumulate<<<2, 32>>>(sum, device_memory<float>(64));
  return finish();
}
