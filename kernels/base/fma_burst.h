// Included by the per-instruction-set files only: independent chains of FMAs that fit the register file, so
// that throughput, not latency, bounds them. Include no header with inline library code here (see
// cmake/flags.cmake).
#pragma once

#include <stdint.h>

namespace kernels {

/// Runs `rounds` x 12 FMAs of `lanes` floats; the result keeps the compiler from dropping them.
using FmaBurst = float (*)(int64_t rounds, float start);

float fma_burst_portable(int64_t rounds, float start);
float fma_burst_avx2(int64_t rounds, float start);
float fma_burst_avx512(int64_t rounds, float start);

template <class Vector>
inline __attribute__((always_inline)) float fma_burst(int64_t rounds, float start) {
  constexpr int kChains = 12;
  const Vector factor = Vector{} + 0.999f, term = Vector{} + 1e-6f;
  Vector chain[kChains];
  for (int i = 0; i < kChains; ++i) chain[i] = Vector{} + (start + static_cast<float>(i));
  for (int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) chain[i] = chain[i] * factor + term;
  }
  Vector sum{};
  for (int i = 0; i < kChains; ++i) sum += chain[i];
  return sum[0];
}

}  // namespace kernels
