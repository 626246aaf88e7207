// Addresses of a warp's memory instruction, the quick way.
//
// Nearly every access of real kernels is one of three: all lanes at one address, lane after lane in a row, or
// anything else within one allocation. Each is recognised with a handful of vector operations and checked
// against the range this instruction used last. Whatever does not fit goes to resolve_slow(), which also
// words the faults.
#pragma once

#include "ops/memory_patterns.h"

namespace vgpu::VGPU_ISA {

// The observer wants to hear of every lane's address.
VGPU_INLINE bool may_split(const Warp& w) {
  return w.exec == kAllLanes && w.block->launch->observer == nullptr;
}

// Half warps at one address or in a row, where legal(first, bytes) allows both.
template <class Word, class Legal>
VGPU_INLINE bool split(const Word* base, Word offset, uint64_t origin, Legal legal, Resolved& r) {
  const Halves halves = halves_of(base);
  if (!halves.found) return false;
  for (uint32_t h = 0; h < 2; ++h) {
    const Word lead = base[16 * h] + offset;
    if (!legal(lead, halves.row[h] ? 64 : 4)) return false;
    r.half[h] = origin + lead;
    r.half_row[h] = halves.row[h];
  }
  r.in_halves = true;
  return true;
}

// Global, const and generic addresses that lie in one allocation. False: ask resolve_slow().
template <uint32_t kBytes, bool kHalves = false>
__attribute__((noinline)) bool resolve_global(Warp& w, const Inst& inst, bool write, Resolved& r) {
  const MemoryRange range = cached_range(inst, write);
  r.shared_mask = r.local_mask = 0;
  r.pattern = Pattern::General;
  if (inst.flags & memory_flag::kIs32) return false;
  const uint64_t offset = static_cast<uint64_t>(inst.imm);
  uint64_t lead = offset;
  const uint64_t* base = nullptr;
  if (inst.a == kNoRef) {
    r.pattern = Pattern::Uniform;
  } else {
    base = lanes<uint64_t>(w, inst.a);
    lead += base[__builtin_ctz(w.exec)];
    if (w.exec == kAllLanes)
      r.pattern = pattern_of<kBytes>(base);
    else if (one_lane(w.exec))
      r.pattern = Pattern::Uniform;
  }
  if (r.pattern != Pattern::General) {
    r.first = lead;
    return lead % kBytes == 0 &&
           inside(range, lead, r.pattern == Pattern::Uniform ? kBytes : kBytes * kLanes);
  }
  if (w.exec == kAllLanes) {
    for (uint32_t i = 0; i < kLanes; ++i) r.address[i] = base[i] + offset;
  } else {
    for (uint32_t i = 0; i < kLanes; ++i) r.address[i] = (w.exec >> i & 1) ? base[i] + offset : lead;
  }
  const uint64_t limit =
      range.end - range.begin - kBytes;  // "negative" for a range too small: then every lane is out
  uint64_t outside = 0, low = 0;
  for (uint32_t i = 0; i < kLanes; ++i) {
    const uint64_t distance = r.address[i] - range.begin;
    outside |= distance | (limit - distance);
    low |= r.address[i];
  }
  return static_cast<int64_t>(outside) >= 0 && static_cast<int64_t>(limit) >= 0 && low % kBytes == 0;
}

// Shared memory through 32-bit offsets.
template <uint32_t kBytes, bool kHalves = false>
__attribute__((noinline)) bool resolve_shared(Warp& w, const Inst& inst, Resolved& r) {
  const Block& block = *w.block;
  const uint32_t size = block.launch->shared_bytes;
  const uint64_t shared = reinterpret_cast<uint64_t>(block.shared);
  const uint32_t offset = static_cast<uint32_t>(inst.imm);
  r.shared_mask = w.exec;
  r.local_mask = 0;
  r.pattern = Pattern::General;
  if (!(inst.flags & memory_flag::kIs32) && inst.a != kNoRef) return false;
  if (size < kBytes) return false;
  const uint32_t limit = size - kBytes;
  uint32_t lead = offset;
  const uint32_t* base = nullptr;
  if (inst.a == kNoRef) {
    r.pattern = Pattern::Uniform;
  } else {
    base = lanes<uint32_t>(w, inst.a);
    lead += base[__builtin_ctz(w.exec)];
    if (w.exec == kAllLanes)
      r.pattern = pattern_of<kBytes>(base);
    else if (one_lane(w.exec))
      r.pattern = Pattern::Uniform;
  }
  if (r.pattern != Pattern::General) {
    const uint64_t last = r.pattern == Pattern::Uniform ? lead : uint64_t{lead} + kBytes * (kLanes - 1);
    r.first = shared + lead;
    return lead % kBytes == 0 && last <= limit;
  }
  if constexpr (kHalves) {
    const auto legal = [&](uint64_t first, uint64_t bytes) {
      return first % 4 == 0 && first + bytes <= size;
    };
    if (may_split(w) && split(base, offset, shared, legal, r)) return true;
  }
  uint32_t low = 0, high = 0;
  alignas(64) uint32_t place[kLanes];
  if (w.exec == kAllLanes) {
    for (uint32_t i = 0; i < kLanes; ++i) place[i] = base[i] + offset;
  } else {
    for (uint32_t i = 0; i < kLanes; ++i) place[i] = (w.exec >> i & 1) ? base[i] + offset : lead;
  }
  for (uint32_t i = 0; i < kLanes; ++i) {
    low |= place[i];
    high = high > place[i] ? high : place[i];
  }
  for (uint32_t i = 0; i < kLanes; ++i) r.address[i] = shared + place[i];
  return high <= limit && low % kBytes == 0;
}

}  // namespace vgpu::VGPU_ISA
