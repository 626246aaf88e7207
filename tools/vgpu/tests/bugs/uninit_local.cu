// expect: uninitialised read of 4 bytes of local memory
// check: uninit
// status: 86
// at: block (0,0,0) thread (9,0,0)
#include "bug.h"

__global__ void last(const int* order, const int* counts, int* out) {
  int stack[16];
  for (int i = 0; i < counts[threadIdx.x]; ++i) stack[order[i]] = i;
  out[threadIdx.x] = stack[order[7]];  // BUG
}

int main(int argc, char** argv) {
  std::vector<int> order{3, 1, 4, 15, 9, 2, 6, 5}, counts(32, 8);
  if (wants_bug(argc, argv)) counts[9] = 7;
  int *d_order = device_memory<int>(8), *d_counts = device_memory<int>(32);
  cudaMemcpy(d_order, order.data(), 8 * sizeof(int), cudaMemcpyHostToDevice);
  cudaMemcpy(d_counts, counts.data(), 32 * sizeof(int), cudaMemcpyHostToDevice);
  last<<<1, 32>>>(d_order, d_counts, device_memory<int>(32));
  return finish();
}
