// expect: stream race: .*scale
// check: sync
// status: 86
#include "bug.h"

__global__ void scale(float* data) {
  data[threadIdx.x] *= 2;
}
__global__ void copy(const float* in, float* out) {
  out[threadIdx.x] = in[threadIdx.x];
}

int main(int argc, char** argv) {
  float *a = device_memory<float>(64), *b = device_memory<float>(64);
  cudaStream_t first, second;
  cudaEvent_t event;
  cudaStreamCreateWithFlags(&first, cudaStreamNonBlocking);
  cudaStreamCreateWithFlags(&second, cudaStreamNonBlocking);
  cudaEventCreate(&event);
  cudaDeviceSynchronize();
  scale<<<1, 64, 0, first>>>(a);
  cudaEventRecord(event, first);
  if (!wants_bug(argc, argv)) cudaStreamWaitEvent(second, event, 0);
  copy<<<1, 64, 0, second>>>(a, b);
  return finish();
}
