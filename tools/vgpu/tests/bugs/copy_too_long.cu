// expect: runs over
// status: 3
// error: 1
#include "bug.h"

int main(int argc, char** argv) {
  std::vector<float> host(101);
  float* device = device_memory<float>(100);
  int error = cudaMemcpy(device, host.data(), (wants_bug(argc, argv) ? 101 : 100) * sizeof(float),
                         cudaMemcpyHostToDevice);
  if (error != 0) std::printf("cuda error %d\n", error);
  return error != 0 ? 3 : finish();
}
