// cp.async copies in flight: the part of ops/async.cpp that the handlers (ops/async_simd.cpp) fill.
#pragma once

#include <cstdint>

#include "core/warp.h"

namespace vgpu {

// One cp.async of one warp. The source has been read, the destination is written when the copy is waited for.
struct PendingCopy {
  uint32_t lanes = 0;  // whose copy has not been completed
  uint32_t bytes = 0;
  const Inst* inst = nullptr;  // in Program::code
  uint64_t serial = 0;         // in the order the warp issued them
  uint64_t to[kLanes];         // host addresses
  uint32_t group[kLanes];      // cp.async groups the lane had committed before: this copy's group
  alignas(16) uint8_t data[kLanes][16];
};

// A new copy at the end of the warp's queue for the lanes of w.exec: `to` and `data` are the caller's to fill
// in.
PendingCopy& push_copy(Warp& w, const Inst& inst, uint32_t bytes);

Status commit_group(Warp& w, const Inst& inst);
Status wait_group(Warp& w, const Inst& inst);  // all but the inst.imm youngest groups
Status wait_all(Warp& w, const Inst& inst);    // uncommitted copies too

// Completes the copies of `lanes` that were issued before `serial`.
void complete_copies_before(Warp& w, uint32_t lanes, uint64_t serial);
// The serial number the warp's next copy will have.
uint64_t next_copy_serial(const Warp& w);

}  // namespace vgpu
