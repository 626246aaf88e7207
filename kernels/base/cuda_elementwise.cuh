// Elementwise kernels over flat float arrays: out[i] = op(in[i]...), or += where the mode accumulates. A
// thread moves one pack; the tail of up to three elements behind the packs goes to the last threads. In place
// is safe: an element is read before it is written.
#pragma once

#include <cstdint>

#include "kernels/base/cuda_launch.h"
#include "kernels/base/cuda_pack.cuh"
#include "kernels/base/types.h"

namespace kernels::cuda {

inline constexpr int kMapThreads = 256;

template <int kWidth, class Op, class... In>
__global__ void __launch_bounds__(kMapThreads)
    map_kernel(int64_t count, bool add, Op op, float* out, In... in) {
  const int64_t i = int64_t{blockIdx.x} * kMapThreads + threadIdx.x, packs = count / kWidth;
  if (i < packs) {
    Pack<kWidth> value;
    const auto apply = [&](const auto&... x) {
      for (int j = 0; j < kWidth; ++j) value.at[j] = op(x.at[j]...);
    };
    apply(load<kWidth>(in + i * kWidth)...);
    put(out + i * kWidth, value, add);
  } else if (const int64_t rest = packs * kWidth + (i - packs); rest < count) {
    put(out + rest, Pack<1>{op(in[rest]...)}, add);
  }
}

/// Launches the map; nothing for GradMode::Ignore or an empty array. `op`: its parameters travel with the
/// launch; `in`: pointers to const float, none for an op without operands.
template <class Op, class... In>
void map(const Exec& exec, const Site& site, int64_t count, GradMode mode, Op op, float* out, In... in) {
  if (mode == GradMode::Ignore || count == 0) return;
  const bool wide = aligned16(out, in...);
  const int64_t threads = wide ? count / kWide + count % kWide : count;
  launch(exec, site, blocks_for(threads, kMapThreads), kMapThreads, 0,
         wide ? map_kernel<kWide, Op, In...> : map_kernel<1, Op, In...>, count, mode == GradMode::Accumulate,
         op, out, in...);
}

}  // namespace kernels::cuda
