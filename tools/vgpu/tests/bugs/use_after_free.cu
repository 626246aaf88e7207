// expect: (use after free|freed)
// status: 3
// error: 700
// first: block (0,0,0) thread (0,0,0)
#include "bug.h"

__global__ void read(const int* in, int* out) {
  out[threadIdx.x] = in[threadIdx.x];  // BUG
}

int main(int argc, char** argv) {
  int *in = device_memory<int>(32), *out = device_memory<int>(32);
  if (wants_bug(argc, argv)) cudaFree(in);
  read<<<1, 32>>>(in, out);
  return finish();
}
