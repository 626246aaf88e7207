#include "kernels/base/fma_peak.h"

#include <algorithm>
#include <atomic>
#include <chrono>

#include "kernels/base/cuda_twins.h"
#include "kernels/base/device_memory.h"
#include "kernels/base/event_timer.h"
#include "kernels/base/fma_burst.h"

namespace kernels {

namespace {

double cuda_fma_peak_gflops(const Exec& exec) {
  constexpr int kBursts = 5, kBlocksEach = 32, kRounds = 4096, kThreads = 256;
  const int blocks = device_runtime(exec.backend).device_info(exec.device).processors * kBlocksEach;
  const DeviceMemory out(exec, static_cast<size_t>(blocks) * kThreads * sizeof(float));
  double flops = 0;
  const double best =
      best_seconds(exec, kBursts, [&] { flops = cuda_fma_burst(exec, blocks, kRounds, out.floats()); });
  return flops / best * 1e-9;
}

}  // namespace

double measure_fma_peak_gflops(const Exec& exec) {
  if (exec.backend == Backend::Cuda) return cuda_fma_peak_gflops(exec);
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
