// expect: (constant|read-only|const)
// status: 3
// error: 700
// first: block (0,0,0) thread (0,0,0)
#include "bug.h"

__constant__ int table[32];

__global__ void fill(int* out, const int* in) {
  int* p = out != nullptr ? out : const_cast<int*>(in);
  p[threadIdx.x] = 1;  // BUG
}

int main(int argc, char** argv) {
  void* address = nullptr;
  cudaGetSymbolAddress(&address, table);
  fill<<<1, 32>>>(wants_bug(argc, argv) ? nullptr : device_memory<int>(32), static_cast<const int*>(address));
  return finish();
}
