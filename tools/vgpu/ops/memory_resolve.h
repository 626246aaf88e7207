// The addresses of loads, stores and atomics, whatever their space.
#pragma once

#include "ops/memory_support.h"

namespace vgpu::VGPU_ISA {

// Local memory: an offset within each thread's own.
template <uint32_t kBytes>
__attribute__((noinline)) bool resolve_local(Warp& w, const Inst& inst, Resolved& r) {
  const Block& block = *w.block;
  const uint64_t size = block.launch->local_bytes;
  const uint64_t offset =
      static_cast<uint64_t>(inst.imm) + (inst.flags & memory_flag::kFrame ? uint64_t{w.local_base} : 0);
  const uint64_t local = reinterpret_cast<uint64_t>(w.local_memory);
  const uint64_t stride = block.local_stride;
  r.shared_mask = 0;
  r.local_mask = w.exec;
  r.pattern = Pattern::General;
  if (inst.flags & memory_flag::kIs32 || size < kBytes) return false;
  const uint64_t limit = size - kBytes;
  if (inst.a == kNoRef) {
    for (uint32_t i = 0; i < kLanes; ++i) r.address[i] = local + offset + i * stride;
    return offset <= limit && offset % kBytes == 0;
  }
  const uint64_t* base = lanes<uint64_t>(w, inst.a);
  alignas(64) uint64_t place[kLanes];
  if (w.exec == kAllLanes) {
    for (uint32_t i = 0; i < kLanes; ++i) place[i] = base[i] + offset;
  } else {
    const uint64_t lead = base[__builtin_ctz(w.exec)] + offset;
    for (uint32_t i = 0; i < kLanes; ++i) place[i] = (w.exec >> i & 1) ? base[i] + offset : lead;
  }
  uint64_t outside = 0, low = 0;
  for (uint32_t i = 0; i < kLanes; ++i) {
    outside |= place[i] | (limit - place[i]);
    low |= place[i];
  }
  uint64_t lane = local;
  for (uint32_t i = 0; i < kLanes; ++i, lane += stride) r.address[i] = lane + place[i];
  return static_cast<int64_t>(outside) >= 0 && low % kBytes == 0;
}

// Addresses of an instruction laid out as memory_flag says: legal, or a fault. The observer has been told.
// kHalves: the caller understands Resolved::in_halves.
template <uint32_t kBytes, bool kHalves = false>
VGPU_INLINE void resolve(Warp& w, const Inst& inst, AccessKind kind, uint32_t element, Resolved& r) {
  const ptx::Space space = space_of(inst);
  bool legal = false;
  if (space == ptx::Space::Shared) {
    legal = resolve_shared<kBytes, kHalves>(w, inst, r);
  } else if (space < ptx::Space::Shared || space == ptx::Space::Const) {
    legal = resolve_global<kBytes, kHalves>(w, inst, kind != AccessKind::Load, r);
  } else if (space == ptx::Space::Local) {
    legal = resolve_local<kBytes>(w, inst, r);
  } else if (inst.flags & memory_flag::kChecked) {
    r.pattern = Pattern::Uniform;
    r.first = reinterpret_cast<uint64_t>(w.block->launch->arguments) + static_cast<uint64_t>(inst.imm);
    r.shared_mask = r.local_mask = 0;
    legal = true;
  }
  if (__builtin_expect(!legal, 0)) resolve_slow(w, inst, request_of(inst, w.exec, kBytes, element, kind), r);
  if (__builtin_expect(w.block->launch->observer != nullptr, 0))
    announce(w, inst, request_of(inst, w.exec, kBytes, element, kind), r);
}

}  // namespace vgpu::VGPU_ISA
