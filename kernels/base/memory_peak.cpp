#include "kernels/base/memory_peak.h"

#include <unistd.h>

#include <algorithm>

#include "kernels/base/cuda_twins.h"
#include "kernels/base/device_memory.h"
#include "kernels/base/event_timer.h"

namespace kernels {

namespace {

/// Bytes of one array: the last cache's size, as three arrays together are well above it then.
size_t array_bytes(const Exec& exec, const DeviceInfo& info) {
  constexpr size_t kLeast = size_t{64} << 20, kMost = size_t{256} << 20;
#ifdef _SC_LEVEL3_CACHE_SIZE
  const size_t host_cache = static_cast<size_t>(std::max(0L, sysconf(_SC_LEVEL3_CACHE_SIZE)));
#else
  const size_t host_cache = 0;
#endif
  return std::clamp(exec.backend == Backend::Cpu ? host_cache : 2 * info.l2_cache, kLeast, kMost);
}

/// Every thread has one piece, the same in every pass: the piece whose pages it touched first.
template <class Body>
void by_pieces(const Exec& exec, int64_t count, const Body& body) {
  const int64_t pieces = exec.threads->size();
  exec.threads->parallel_for(pieces, [&](int64_t i) { body(count * i / pieces, count * (i + 1) / pieces); });
}

void copy(const Exec& exec, int64_t count, const float* from, float* to) {
  DeviceRuntime& runtime = device_runtime(exec.backend);
  const auto part = [&](int64_t begin, int64_t end) {
    runtime.copy(exec, to + begin, from + begin, static_cast<size_t>(end - begin) * sizeof(float));
  };
  if (exec.backend == Backend::Cpu) {
    by_pieces(exec, count, part);
  } else {
    part(0, count);
  }
}

void triad(const Exec& exec, int64_t count, const float* b, const float* c, float* a) {
  if (exec.backend == Backend::Cuda) return cuda_triad(exec, count, b, c, a);
  by_pieces(exec, count, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) a[i] = b[i] + 3.0f * c[i];
  });
}

}  // namespace

MemoryPeaks measure_memory_peaks(const Exec& exec) {
  DeviceRuntime& runtime = device_runtime(exec.backend);
  const size_t bytes = array_bytes(exec, runtime.device_info(exec.device));
  const auto count = static_cast<int64_t>(bytes / sizeof(float));
  const DeviceMemory a(exec, bytes), b(exec, bytes), c(exec, bytes);
  for (const DeviceMemory* array : {&a, &b, &c}) {
    float* const data = array->floats();
    if (exec.backend == Backend::Cpu) {
      by_pieces(exec, count, [&](int64_t begin, int64_t end) { std::fill(data + begin, data + end, 1.0f); });
    } else {
      runtime.zero(exec, data, bytes);
    }
  }
  constexpr int kPasses = 5;
  const double gigabytes = static_cast<double>(bytes) * 1e-9;
  const double copied = best_seconds(exec, kPasses, [&] { copy(exec, count, b.floats(), a.floats()); });
  const double added =
      best_seconds(exec, kPasses, [&] { triad(exec, count, b.floats(), c.floats(), a.floats()); });
  runtime.synchronize(exec);
  return {.copy = 2 * gigabytes / copied, .triad = 3 * gigabytes / added};
}

}  // namespace kernels
