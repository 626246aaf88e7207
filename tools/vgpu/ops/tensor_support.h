// Shared by the handlers of warp-wide matrix instructions (ldmatrix, mma, wmma).
#pragma once

#include "ops/fragment_layout.h"
#include "ops/simd_support.h"
#include "ops/tensor_flags.h"

namespace vgpu::VGPU_ISA {

__attribute__((noinline, cold)) static void report_absent_lanes(Warp& w, const Inst& inst) {
  if ((enabled_checks() & static_cast<uint32_t>(Check::Sync)) == 0) return;
  const uint32_t first = static_cast<uint32_t>(__builtin_ctz(w.exec));
  VGPU_FOR_LANES(~w.exec, lane)
  finding(w, inst, Check::Sync, first, "lane %u does not take part, but the whole warp must", lane);
}

// `.sync.aligned`: waits for every live lane. Missing ones are a finding; what their registers hold is used
// anyway.
VGPU_INLINE bool whole_warp(Warp& w, const Inst& inst) {
  if (!lanes_arrived(w, kAllLanes)) return false;
  if (w.exec != kAllLanes && w.exec != 0) report_absent_lanes(w, inst);
  return true;
}

// Stores a whole register's worth of results for the lanes that run.
template <class T>
VGPU_INLINE void store_register(Warp& w, Ref ref, const T* from) {
  T* d = lanes<T>(w, ref);
  if (w.exec == kAllLanes) {
    memcpy(d, from, sizeof(T) * kLanes);
  } else {
    blend(d, from, w.exec);
  }
}

}  // namespace vgpu::VGPU_ISA
