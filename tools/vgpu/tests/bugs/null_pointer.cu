// expect: null pointer: .*write
// status: 3
// error: 700
// first: block (0,0,0) thread (0,0,0)
#include "bug.h"

__global__ void fill(int* out) {
  out[threadIdx.x] = 1;  // BUG
}

int main(int argc, char** argv) {
  fill<<<1, 32>>>(wants_bug(argc, argv) ? nullptr : device_memory<int>(32));
  return finish();
}
