// expect: misaligned global read of 16 bytes
// status: 3
// error: 716
// first: block (0,0,0) thread (0,0,0)
#include "bug.h"

__global__ void sum(const float* in, float* out) {
  float4 v = reinterpret_cast<const float4*>(in)[threadIdx.x];  // BUG
  out[threadIdx.x] = v.x + v.y + v.z + v.w;
}

int main(int argc, char** argv) {
  sum<<<1, 32>>>(device_memory<float>(256) + (wants_bug(argc, argv) ? 2 : 4), device_memory<float>(32));
  return finish();
}
