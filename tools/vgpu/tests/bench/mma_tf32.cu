// Benchmark: mma.sync m16n8k8 tf32, operands in registers, eight accumulators a warp.
#include "bench.h"

namespace {

constexpr int kSteps = 400, kTiles = 8;

__global__ void mma_loop(const float* in, float* out) {
  unsigned a[4], b[2];
  for (int i = 0; i < 4; ++i) a[i] = __float_as_uint(in[threadIdx.x * 4 + i]);
  for (int i = 0; i < 2; ++i) b[i] = __float_as_uint(in[threadIdx.x * 2 + i]);
  float c[kTiles][4] = {};
  for (int s = 0; s < kSteps; ++s) {
#pragma unroll
    for (int t = 0; t < kTiles; ++t)
      asm volatile(
          "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
          "{%0,%1,%2,%3};"
          : "+f"(c[t][0]), "+f"(c[t][1]), "+f"(c[t][2]), "+f"(c[t][3])
          : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  }
  float sum = 0;
  for (int t = 0; t < kTiles; ++t) sum += c[t][0] + c[t][1] + c[t][2] + c[t][3];
  out[blockIdx.x * blockDim.x + threadIdx.x] = sum;
}

}  // namespace

int main(int argc, char** argv) {
  float *in = filled(128 * 4), *out = filled(4 * 128);
  double fma = 4.0 * 4 * kSteps * kTiles * (16 * 8 * 8);
  return measure({{"mma_tf32", fma, [=] { mma_loop<<<4, 128>>>(in, out); }}}, rounds_from(argc, argv));
}
