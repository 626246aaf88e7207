// Elementwise kernels over flat float arrays: out[i] = Op::apply(in[i]...), or += where the mode accumulates.
// A thread moves four floats (one 16-byte access an array) where every pointer is aligned, one otherwise; the
// tail of up to three elements goes to the last threads. In place is safe: an element is read before it is
// written.
#pragma once

#include <cstdint>

#include "kernels/base/cuda_launch.h"
#include "kernels/base/types.h"

namespace kernels::cuda {

inline constexpr int kMapThreads = 256;

template <class Op, bool kAdd, class... In>
__global__ void __launch_bounds__(kMapThreads) map_scalar(int64_t count, float* out, In... in) {
  const int64_t i = int64_t{blockIdx.x} * kMapThreads + threadIdx.x;
  if (i >= count) return;
  const float value = Op::apply(in[i]...);
  out[i] = kAdd ? out[i] + value : value;
}

template <class Op, bool kAdd, class... In>
__global__ void __launch_bounds__(kMapThreads) map_vector(int64_t count, float* out, In... in) {
  const int64_t i = int64_t{blockIdx.x} * kMapThreads + threadIdx.x, quads = count / 4;
  if (i < quads) {
    float4 r;
    const auto quad = [i](const float* p) { return reinterpret_cast<const float4*>(p)[i]; };
    const auto apply = [&](const auto&... q) {
      r = {Op::apply(q.x...), Op::apply(q.y...), Op::apply(q.z...), Op::apply(q.w...)};
    };
    apply(quad(in)...);
    if (kAdd) {
      const float4 before = quad(out);
      r = {before.x + r.x, before.y + r.y, before.z + r.z, before.w + r.w};
    }
    reinterpret_cast<float4*>(out)[i] = r;
  } else if (const int64_t rest = quads * 4 + (i - quads); rest < count) {
    const float value = Op::apply(in[rest]...);
    out[rest] = kAdd ? out[rest] + value : value;
  }
}

inline bool aligned16(const void* p) {
  return reinterpret_cast<uintptr_t>(p) % 16 == 0;
}

/// Launches the map; nothing for GradMode::Ignore or an empty array. `in`: pointers to const float.
template <class Op, class... In>
void map(const Exec& exec, const Site& site, int64_t count, GradMode mode, float* out, In... in) {
  if (mode == GradMode::Ignore || count == 0) return;
  const bool add = mode == GradMode::Accumulate;
  if (aligned16(out) && (aligned16(in) && ...)) {
    const uint32_t blocks = blocks_for(count / 4 + count % 4, kMapThreads);
    launch(exec, site, blocks, kMapThreads, 0,
           add ? map_vector<Op, true, In...> : map_vector<Op, false, In...>, count, out, in...);
  } else {
    launch(exec, site, blocks_for(count, kMapThreads), kMapThreads, 0,
           add ? map_scalar<Op, true, In...> : map_scalar<Op, false, In...>, count, out, in...);
  }
}

}  // namespace kernels::cuda
