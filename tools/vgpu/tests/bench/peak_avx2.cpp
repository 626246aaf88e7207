// The AVX2 loop of peak.h; compiled with -mavx2 -mfma.
#include <immintrin.h>

#include "peak.h"

namespace peak {

bool has_avx512() {
  return __builtin_cpu_supports("avx512f") != 0;
}

double run_avx2(long rounds) {
  __m256 sum[10], a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(0.001f);
  for (int i = 0; i < 10; ++i) sum[i] = _mm256_set1_ps(float(i));
  for (long r = 0; r < rounds; ++r)
#pragma GCC unroll 10
    for (__m256& s : sum) s = _mm256_fmadd_ps(s, a, b);
  double total = 0;
  for (const __m256& s : sum) total += double(_mm256_cvtss_f32(s));
  return total;
}

}  // namespace peak
