// Benchmark: single-precision matrix products with tiles of 16x16, 32x32 and 64x64 (4x4 a thread), n = 512.
#include "../support/sgemm.h"
#include "bench.h"

int main(int argc, char** argv) {
  constexpr int n = 512;
  float *a = filled(n * n), *b = filled(n * n), *c = filled(n * n);
  double fma = double(n) * n * n;
  return measure(
      {{"sgemm16", fma, [=] { sgemm_tiled<16><<<dim3(n / 16, n / 16), dim3(16, 16)>>>(a, b, c, n); }},
       {"sgemm32", fma, [=] { sgemm_tiled<32><<<dim3(n / 32, n / 32), dim3(32, 32)>>>(a, b, c, n); }},
       {"sgemm64", fma, [=] { sgemm_64<<<dim3(n / 64, n / 64), 256>>>(a, b, c, n); }}},
      rounds_from(argc, argv));
}
