// Block barriers (bar, barrier.cta): who has arrived, who waits.
#pragma once

#include <cstdint>

#include "core/block.h"
#include "core/inst.h"

namespace vgpu {

inline constexpr uint32_t kBarriers = 16, kMaxWarps = 32;

struct BarrierState {
  uint32_t arrived[kMaxWarps] = {};  // lanes, by warp
  uint32_t threads = 0;              // how many have arrived; an aligned arrival counts a whole warp
  uint32_t expected = 0;             // the count operand; 0: every thread that has not exited
  uint32_t warps = 0;                // warps that arrived
  uint32_t waiting = 0;              // those of them that wait (not bar.arrive)
  uint32_t first_pc = 0;
  bool all = true, any = false;  // reductions so far
  uint32_t count = 0;
};

struct BlockBarriers {
  BarrierState state[kBarriers];
  bool all[kBarriers] = {}, any[kBarriers] = {};  // results of the last completed round
  uint32_t count[kBarriers] = {};
};

Status barrier_sync(Warp& warp, const Inst& inst);  // a: number, b: count or kNoRef; c, d: reduction
Status barrier_arrive(Warp& warp, const Inst& inst);

// Lanes have exited: barriers that waited for them alone complete now.
void recheck_barriers(Block& block);

namespace barrier_flag {
inline constexpr uint16_t kAligned = 1, kReduceAll = 2, kReduceAny = 4, kReduceCount = 8, kNegated = 16;
}  // namespace barrier_flag

}  // namespace vgpu
