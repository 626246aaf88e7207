// expect: not in its own member mask
// check: sync
// status: 86
#include "bug.h"

__global__ void vote(const int* in, unsigned* out, unsigned mask) {
  out[threadIdx.x] = __ballot_sync(mask, in[threadIdx.x] == 0);  // BUG
}

int main(int argc, char** argv) {
  vote<<<1, 32>>>(device_memory<int>(32), device_memory<unsigned>(32),
                  wants_bug(argc, argv) ? 0xFFFF : 0xFFFFFFFF);
  return finish();
}
