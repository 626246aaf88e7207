// PTX for compute capability 9.0 alone: an older device must say that it has no image (error 209).
#include "check.h"

namespace {
__global__ void store(int* p) {
  *p = 5;
}
}  // namespace

TEST(image_selection) {
  int* p = nullptr;
  CHECK_CUDA(cudaMalloc(&p, sizeof(int)));
  store<<<1, 1>>>(p);
  int error = cudaGetLastError(), value = 0;
  if (capability() < 90) {
    EXPECT(error == cudaErrorNoKernelImageForDevice);
  } else {
    EXPECT(error == cudaSuccess);
    CHECK_CUDA(cudaMemcpy(&value, p, sizeof value, cudaMemcpyDeviceToHost));
    EXPECT(value == 5);
  }
  CHECK_CUDA(cudaFree(p));
}

int main(int argc, char** argv) {
  return run_tests(argc, argv);
}
