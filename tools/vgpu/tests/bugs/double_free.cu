// expect: free of 0x
// status: 3
// error: 700
// at: block (0,0,0) thread (0,0,0)
#include "bug.h"

__global__ void use(int* out, int times) {
  auto* p = static_cast<int*>(malloc(16));
  p[0] = 4;
  out[0] = p[0];
  for (int i = 0; i < times; ++i) free(p);  // BUG
}

int main(int argc, char** argv) {
  use<<<1, 1>>>(device_memory<int>(1), wants_bug(argc, argv) ? 2 : 1);
  return finish();
}
