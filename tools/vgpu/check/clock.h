// What comes before what: the clocks of the race checker.
//
// One clock counts events (barriers, fences, publications) for the whole process; cells remember the time of
// an access. Within a block every warp keeps the time up to which it has seen each other warp (a vector
// clock); a barrier that the whole block passes is one number, `met`. Lanes of a warp are ordered by
// bar.warp.sync alone: that they run in lockstep here is no promise. Between blocks order arises when one
// publishes through an atomic or strong store after a fence, and another acquires by an atomic or strong load
// of that address; who acquires then knows whatever any block had published by that time. That is more than
// the address alone would give (a chain nobody closed counts as closed): the checker rather misses an exotic
// race than reports a correct program.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "check/kernels.h"
#include "core/block.h"
#include "ptx/module.h"

namespace vgpu::check {

using Time = uint32_t;
using WarpTimes = std::array<Time, 32>;  // by warp of a block

// What is known of the own block's warps, and the time up to which other blocks' publications are known.
struct Known {
  WarpTimes seen{};
  Time acquired = 0;
};

struct LaneClock {
  Time seen[32][32] = {};  // [lane][other lane]
};

struct WarpClock {
  Known known;
  Time synced = 0;            // last bar.warp.sync of all live lanes
  Known fenced;               // what the warp knew at its last fence
  WarpTimes fenced_device{};  // ... of device scope
  bool has_fence = false, has_device_fence = false;
  bool unpublished = false;          // fenced_device is not in the block's releases yet
  std::unique_ptr<LaneClock> lanes;  // after the first bar.warp.sync of some lanes only
};

// An address that orders: the last publications there.
struct SyncPoint {
  uint64_t block = ~0ull;  // of `known`
  Known known;
  Time published = 0;  // by any block, at device scope
};
using SyncPoints = std::unordered_map<uint64_t, SyncPoint>;

// A read of shared memory that has not been entered into cells yet.
struct LoggedRead {
  Span span;
  uint64_t me;
  uint64_t warp_limit;
  uint32_t pc;
};

// What a block had published at a time: accesses of warp w up to seen[w].
struct Release {
  Time published = 0;
  WarpTimes seen{};
};

}  // namespace vgpu::check

namespace vgpu {

// The race checker's part of a block; buffers are used again for later blocks.
struct BlockShadow {
  uint64_t block_bits = 0;  // in cells
  check::Time met = 0;      // the whole block has met: all accesses before are ordered before all after
  bool partial = false;     // warps were ordered otherwise since
  bool copies = false;      // cp.async has marked cells
  // While nobody has written since the block met, reads are only listed: the next meeting makes most of them
  // uninteresting.
  bool written = false;
  std::vector<check::LoggedRead> reads;
  std::vector<check::WarpClock> warps;
  std::unordered_map<uint32_t, check::Known> arrived;  // by barrier number
  check::SyncPoints points;                            // in shared memory
  check::Cells cells;
  uint64_t words = 0;  // what the cells are laid out for
  std::vector<uint64_t> storage;
};

}  // namespace vgpu

namespace vgpu::check {

class Clock {
 public:
  Time now() const { return now_; }
  Time launch_begin() const { return launch_begin_; }
  bool begin_launch();  // true when time has started afresh and every cell must be emptied
  void begin_block(Block& block);

  void warp_barrier(Warp& warp, uint32_t mask);
  void barrier_arrive(Warp& warp, uint32_t barrier);
  void block_barrier(Block& block, uint32_t barrier, uint32_t waited);
  void fence(Warp& warp, bool device_scope);
  void acquire(Warp& warp, ptx::Space space, uint64_t address);
  void publish(Warp& warp, ptx::Space space, uint64_t address);

  // Is the access in `cell` before one by this lane now?
  bool ordered_write(const Warp& warp, uint32_t lane, uint64_t cell) const;
  bool ordered_read(const Warp& warp, uint32_t lane, uint64_t cell) const;

 private:
  bool ordered(const Warp& warp, uint32_t lane, uint64_t cell, bool any_lane) const;
  bool has_met_some(const BlockShadow& shadow, const WarpClock& clock, uint32_t lane) const;
  bool released(uint64_t block, uint32_t warp, Time time, Time acquired) const;
  Known known(const BlockShadow& shadow, uint32_t warp) const;

  Time now_ = 1;
  Time launch_begin_ = 1;
  SyncPoints points_;                                            // in global memory
  std::unordered_map<uint64_t, std::vector<Release>> releases_;  // by block bits
};

inline uint64_t block_bits(uint64_t linear_index) {
  return linear_index << kBlockShift & kBlockMask;
}
inline Time time_of(uint64_t cell) {
  return static_cast<Time>(cell >> kTimeShift);
}
inline uint32_t warp_of(uint64_t cell) {
  return static_cast<uint32_t>((cell & kWarpMask) >> kWarpShift);
}
inline uint32_t lane_of(uint64_t cell) {
  return static_cast<uint32_t>((cell & kLaneMask) >> kLaneShift);
}

}  // namespace vgpu::check
