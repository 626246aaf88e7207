// expect: out-of-bounds local (read|write)
// status: 3
// error: 700
// at: block (0,0,0) thread (5,0,0)
#include "bug.h"

__global__ void count(const int* digits, int* out) {
  int bins[10] = {};
  for (int i = 0; i < 8; ++i) ++bins[digits[threadIdx.x * 8 + i]];  // BUG
  int best = 0;
  for (int i = 0; i < 10; ++i) best = bins[i] > best ? bins[i] : best;
  out[threadIdx.x] = best;
}

int main(int argc, char** argv) {
  std::vector<int> digits(32 * 8, 3);
  if (wants_bug(argc, argv)) digits[5 * 8 + 2] = 1000000;
  int* in = device_memory<int>(digits.size());
  cudaMemcpy(in, digits.data(), digits.size() * sizeof(int), cudaMemcpyHostToDevice);
  count<<<1, 32>>>(in, device_memory<int>(32));
  return finish();
}
