// The AVX-512 loop of peak.h; compiled with -mavx512f.
#include <immintrin.h>

#include "peak.h"

namespace peak {

double run_avx512(long rounds) {
  __m512 sum[10], a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(0.001f);
  for (int i = 0; i < 10; ++i) sum[i] = _mm512_set1_ps(float(i));
  for (long r = 0; r < rounds; ++r)
#pragma GCC unroll 10
    for (__m512& s : sum) s = _mm512_fmadd_ps(s, a, b);
  double total = 0;
  for (const __m512& s : sum) total += double(_mm512_cvtss_f32(s));
  return total;
}

}  // namespace peak
