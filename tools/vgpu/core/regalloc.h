// Register slots in a function's window: linear scan over lifetimes.
//
// Two registers share a slot only when their lifetimes do not overlap and their elements have the same size.
// The second condition is what makes divergence harmless: lane i of either register lies at the same bytes,
// so lanes that are elsewhere in the program never see each other's values.
#pragma once

#include <cstdint>
#include <vector>

#include "core/inst.h"
#include "core/liveness.h"
#include "ptx/module.h"

namespace vgpu {

// Bytes of a slot whose lanes have that many bytes; 0 stands for a predicate, which is one mask.
inline constexpr uint32_t slot_bytes(uint32_t bytes_per_lane) {
  if (bytes_per_lane == 0) return 4;
  return bytes_per_lane == 1 ? 64 : bytes_per_lane * kLanes;  // 64: every array starts a cache line
}

struct RegisterAllocation {
  std::vector<Ref> slot;             // by register; kNoRef for one that no instruction mentions
  uint32_t bytes = 0;                // of all slots, a multiple of 64
  uint32_t estimated_registers = 0;  // 32-bit registers a compiler for real hardware would need, roughly
};
RegisterAllocation allocate_registers(const ptx::Function& fn);

// Areas that live from the first to the last mention of a variable and may share memory with others of their
// stride: the `.param` variables of a body, of which every call has its own few.
struct AreaAllocation {
  std::vector<uint32_t> offset;  // by the order of `variables`
  uint32_t bytes = 0;
};
struct Area {
  Interval life;
  uint32_t bytes = 0;  // a multiple of 64; areas of equal size share
};
AreaAllocation allocate_areas(const std::vector<Area>& areas);

}  // namespace vgpu
