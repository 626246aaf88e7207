#include "kernels/base/fma_peak.h"

#include <algorithm>
#include <atomic>
#include <chrono>

#include "kernels/base/fma_burst.h"

namespace kernels {

double measure_fma_peak_gflops(const Exec& exec) {
  constexpr int kBursts = 5, kChains = 12;
  constexpr int64_t kRounds = 2'000'000;
  const FmaBurst burst = exec.isa == Isa::Avx512 ? fma_burst_avx512
                         : exec.isa == Isa::Avx2 ? fma_burst_avx2
                                                 : fma_burst_portable;
  const int lanes = exec.isa == Isa::Avx512 ? 16 : exec.isa == Isa::Avx2 ? 8 : 4;
  const int threads = exec.threads->size();
  std::atomic<float> keep{0};
  double best = 0;
  for (int i = 0; i < kBursts; ++i) {
    const auto start = std::chrono::steady_clock::now();
    exec.threads->parallel_for(threads, [&](int64_t t) { keep = burst(kRounds, static_cast<float>(t)); });
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    const double flops = 2.0 * kChains * lanes * static_cast<double>(kRounds) * threads;
    best = std::max(best, flops / time.count() * 1e-9);
  }
  return best;
}

}  // namespace kernels
