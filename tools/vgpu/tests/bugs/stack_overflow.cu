// expect: stack overflow
// status: 3
// error: 719
#include "bug.h"

__device__ __noinline__ int depth(int n, int* out) {
  int values[8];
  for (int i = 0; i < 8; ++i) values[i] = out[i] + n;
  return n == 0 ? values[out[0]] : depth(n - 1, out) + values[(n + out[1]) % 8];  // BUG
}

__global__ void recurse(int* out, int n) {
  out[8] = depth(n, out);
}

int main(int argc, char** argv) {
  recurse<<<1, 1>>>(device_memory<int>(9), wants_bug(argc, argv) ? 1000000 : 10);
  return finish();
}
