// expect: stream race: .*cudaFreeAsync
// or: 3 use after free
// check: sync
// status: 86
#include "bug.h"

__global__ void scale(float* data) {
  data[threadIdx.x] *= 2;
}

int main(int argc, char** argv) {
  float* p = nullptr;
  cudaStream_t owner, user;
  cudaEvent_t ready, used;
  cudaStreamCreateWithFlags(&owner, cudaStreamNonBlocking);
  cudaStreamCreateWithFlags(&user, cudaStreamNonBlocking);
  cudaEventCreate(&ready);
  cudaEventCreate(&used);
  cudaMallocAsync(&p, 64 * sizeof(float), owner);
  cudaMemsetAsync(p, 0, 64 * sizeof(float), owner);
  cudaEventRecord(ready, owner);
  cudaStreamWaitEvent(user, ready, 0);
  scale<<<1, 64, 0, user>>>(p);
  cudaEventRecord(used, user);
  if (!wants_bug(argc, argv)) cudaStreamWaitEvent(owner, used, 0);
  cudaFreeAsync(p, owner);
  return finish();
}
