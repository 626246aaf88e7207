// expect: host reads memory, .* that copy of 256 bytes .*before it has synchronised
// check: sync
// status: 86
#include "bug.h"

__global__ void square(float* data) {
  data[threadIdx.x] *= data[threadIdx.x];
}

int main(int argc, char** argv) {
  float *host = nullptr, *device = device_memory<float>(64);
  cudaMallocHost(&host, 64 * sizeof(float));
  cudaStream_t stream;
  cudaStreamCreate(&stream);
  cudaDeviceSynchronize();
  square<<<1, 64, 0, stream>>>(device);
  cudaMemcpyAsync(host, device, 64 * sizeof(float), cudaMemcpyDeviceToHost, stream);
  if (!wants_bug(argc, argv)) cudaStreamSynchronize(stream);
  volatile float first = host[0];
  (void)first;
  return finish();
}
