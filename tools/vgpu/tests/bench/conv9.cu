// Benchmark: a naive 9x9 convolution, 16 channels to 16, 32x32 pixels; one thread an output.
#include "bench.h"

namespace {

constexpr int kChannels = 16, kSize = 32;

__global__ void conv9(const float* in, const float* weight, float* out) {
  int x = threadIdx.x, y = blockIdx.x * blockDim.y + threadIdx.y, o = blockIdx.y;
  float sum = 0;
  for (int c = 0; c < kChannels; ++c)
    for (int ky = 0; ky < 9; ++ky)
      for (int kx = 0; kx < 9; ++kx) {
        int iy = y + ky - 4, ix = x + kx - 4;
        if (iy >= 0 && iy < kSize && ix >= 0 && ix < kSize)
          sum += in[(c * kSize + iy) * kSize + ix] * weight[((o * kChannels + c) * 9 + ky) * 9 + kx];
      }
  out[(o * kSize + y) * kSize + x] = sum;
}

}  // namespace

int main(int argc, char** argv) {
  float *in = filled(kChannels * kSize * kSize), *weight = filled(kChannels * kChannels * 81);
  float* out = filled(kChannels * kSize * kSize);
  double fma = double(kChannels) * kChannels * kSize * kSize * 81;
  return measure(
      {{"conv9", fma, [=] { conv9<<<dim3(kSize / 8, kChannels), dim3(32, 8)>>>(in, weight, out); }}},
      rounds_from(argc, argv));
}
