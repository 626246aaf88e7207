// Addresses of memory instructions: what is compiled once, without SIMD flags.
//
// The handlers find most warps' addresses legal with a few vector compares (ops/memory_support.h) and come
// here for the rest: mixed allocations, generic addresses of shared and local memory, parameters, and every
// kind of fault.
#pragma once

#include <cstdint>

#include "core/observe.h"
#include "core/warp.h"

namespace vgpu {

// Inst::flags of loads, stores and atomics. The base address is Inst::a, the offset Inst::imm.
namespace memory_flag {
inline constexpr uint16_t kIs32 = 128;         // 32-bit base
inline constexpr uint16_t kStrong = 256;       // volatile, relaxed, acquire, release, atomic
inline constexpr uint16_t kSpaceShift = 9;     // three bits: ptx::Space
inline constexpr uint16_t kFrame = 1 << 12;    // an offset within the running function's .local variables
inline constexpr uint16_t kChecked = 1 << 13;  // a kernel parameter, within bounds by the lowering's word
}  // namespace memory_flag

VGPU_INLINE ptx::Space space_of(const Inst& inst) {
  return static_cast<ptx::Space>(inst.flags >> memory_flag::kSpaceShift & 7);
}

// One access of a warp, before its addresses are known.
struct MemoryRequest {
  ptx::Space space = ptx::Space::Generic;
  AccessKind kind = AccessKind::Load;
  uint32_t mask = 0;
  uint32_t bytes = 4;  // a lane; the address must be a multiple of `alignment`
  uint32_t element = 4;
  uint32_t alignment = 4;
  Ref base = kNoRef;
  bool is32 = false;
  bool in_frame = false;
  bool strong = false;
  int64_t offset = 0;
};

// And after: legal host addresses.
struct Resolved {
  alignas(64) uint64_t address[kLanes];  // General: the lanes of the mask
  uint64_t first = 0;                    // Uniform, Contiguous: lane 0's
  Pattern pattern = Pattern::General;
  bool in_halves = false;                    // instead of all that: lanes 0-15 and 16-31, 4 bytes each
  bool half_row[2] = {false, false};         // in a row from, or all at
  uint64_t half[2] = {0, 0};                 // these addresses
  uint32_t shared_mask = 0, local_mask = 0;  // lanes whose address lies in shared or local memory
};

MemoryRequest request_of(const Inst& inst, uint32_t mask, uint32_t bytes, uint32_t element, AccessKind kind);
// Checks every lane: alignment, bounds, right to write. Faults, or fills in `out`.
void resolve_slow(Warp& w, const Inst& inst, const MemoryRequest& request, Resolved& out);
// Tells the observer, space by space.
void announce(Warp& w, const Inst& inst, const MemoryRequest& request, Resolved& resolved);
// One lane's generic address; faults like an access of `bytes` bytes.
uint8_t* resolve_generic(Warp& w, const Inst& inst, uint32_t lane, uint64_t address, uint32_t bytes,
                         bool write);
// Bytes from there to the end of what holds them, at least 1: for strings.
uint64_t generic_extent(Warp& w, const Inst& inst, uint32_t lane, uint64_t address);

// Allocations found last, per thread and instruction. Valid as long as nothing has been freed since.
struct MemoryRange {
  uint64_t begin = 0, end = 0;
};
struct RangeCache {
  static constexpr uint32_t kEntries = 64;
  uint64_t generation = 0;
  MemoryRange reads[kEntries], writes[kEntries];
};
extern __thread RangeCache* range_cache __attribute__((tls_model("initial-exec")));
extern uint64_t memory_generation;  // grows when memory is freed; read and written with __atomic builtins
RangeCache* fresh_range_cache();    // makes or empties this thread's

VGPU_INLINE MemoryRange& cached_range(const Inst& inst, bool write) {
  RangeCache* cache = range_cache;
  if (cache == nullptr || cache->generation != __atomic_load_n(&memory_generation, __ATOMIC_ACQUIRE))
    cache = fresh_range_cache();
  const uintptr_t slot = reinterpret_cast<uintptr_t>(&inst) / 16 % RangeCache::kEntries;
  return write ? cache->writes[slot] : cache->reads[slot];
}

}  // namespace vgpu
