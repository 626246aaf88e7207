// The rules of order: clock.h says which and why.
#include "check/clock.h"

#include <algorithm>

namespace vgpu::check {
namespace {

void join(WarpTimes& to, const WarpTimes& from) {
  for (size_t i = 0; i < to.size(); ++i) to[i] = std::max(to[i], from[i]);
}

void join(Known& to, const Known& from) {
  join(to.seen, from.seen);
  to.acquired = std::max(to.acquired, from.acquired);
}

uint32_t live_warps(const Block& block) {
  uint32_t mask = 0;
  for (size_t i = 0; i < block.warps.size(); ++i) mask |= uint32_t{block.warps[i].live != 0} << i;
  return mask;
}

}  // namespace

bool Clock::begin_launch() {
  const bool afresh = now_ > kLatestTime / 2;
  now_ = afresh ? 1 : now_ + 1;
  launch_begin_ = now_;
  points_.clear();
  releases_.clear();
  return afresh;
}

void Clock::begin_block(Block& block) {
  BlockShadow& shadow = *block.race;
  shadow.block_bits = block_bits(block.linear_index);
  shadow.met = ++now_;
  shadow.partial = shadow.written = false;
  shadow.reads.clear();
  shadow.warps.clear();
  shadow.warps.resize(block.warps.size());
  shadow.arrived.clear();
  shadow.points.clear();
}

// What the warp knows of the others, the barriers of the whole block included.
Known Clock::known(const BlockShadow& shadow, uint32_t warp) const {
  Known known = shadow.warps[warp].known;
  for (Time& time : known.seen) time = std::max(time, shadow.met - 1);
  known.seen[warp] = now_;
  return known;
}

void Clock::warp_barrier(Warp& warp, uint32_t mask) {
  WarpClock& clock = warp.block->race->warps[warp.id];
  if ((warp.live & ~mask) == 0) {
    clock.synced = ++now_;
    return;
  }
  if (!clock.lanes) clock.lanes = std::make_unique<LaneClock>();
  Time joined[32] = {};
  VGPU_FOR_LANES(mask, lane) {
    clock.lanes->seen[lane][lane] = now_;
    for (int i = 0; i < 32; ++i) joined[i] = std::max(joined[i], clock.lanes->seen[lane][i]);
  }
  VGPU_FOR_LANES(mask, lane) std::copy(joined, joined + 32, clock.lanes->seen[lane]);
  ++now_;
}

void Clock::barrier_arrive(Warp& warp, uint32_t barrier) {
  BlockShadow& shadow = *warp.block->race;
  join(shadow.arrived[barrier], known(shadow, warp.id));
  shadow.partial = true;
  ++now_;
}

void Clock::block_barrier(Block& block, uint32_t barrier, uint32_t waited) {
  BlockShadow& shadow = *block.race;
  Known joined;
  const auto arrived = shadow.arrived.find(barrier);
  if (arrived != shadow.arrived.end()) {
    joined = arrived->second;
    shadow.arrived.erase(arrived);
  }
  if ((live_warps(block) & ~waited) == 0) {
    // One number says it all; only what was learnt from other blocks has to be handed round.
    VGPU_FOR_LANES(waited, i) joined.acquired = std::max(joined.acquired, shadow.warps[i].known.acquired);
    VGPU_FOR_LANES(waited, j) shadow.warps[j].known.acquired = joined.acquired;
    shadow.met = ++now_;
    shadow.partial = false;
    shadow.written = shadow.copies;  // copies in flight are writes at any time
    shadow.reads.clear();
    return;
  }
  VGPU_FOR_LANES(waited, i) join(joined, known(shadow, i));
  ++now_;
  VGPU_FOR_LANES(waited, j) {
    shadow.warps[j].known = joined;
    shadow.warps[j].synced = now_;
  }
  shadow.partial = true;
}

void Clock::fence(Warp& warp, bool device_scope) {
  BlockShadow& shadow = *warp.block->race;
  WarpClock& clock = shadow.warps[warp.id];
  clock.fenced = known(shadow, warp.id);
  clock.has_fence = true;
  if (device_scope) {
    clock.fenced_device = clock.fenced.seen;
    clock.has_device_fence = clock.unpublished = true;
  }
  ++now_;
}

void Clock::publish(Warp& warp, ptx::Space space, uint64_t address) {
  BlockShadow& shadow = *warp.block->race;
  WarpClock& clock = shadow.warps[warp.id];
  if (!clock.has_fence) return;
  SyncPoint& point = (space == ptx::Space::Shared ? shadow.points : points_)[address];
  if (point.block != shadow.block_bits) point.known = Known{};
  point.block = shadow.block_bits;
  join(point.known, clock.fenced);
  if (clock.has_device_fence) {
    point.published = now_;
    if (clock.unpublished) {
      std::vector<Release>& list = releases_[shadow.block_bits];
      Release release = list.empty() ? Release{} : list.back();
      release.published = now_;
      join(release.seen, clock.fenced_device);
      list.push_back(release);
      clock.unpublished = false;
    }
  }
  ++now_;
}

void Clock::acquire(Warp& warp, ptx::Space space, uint64_t address) {
  BlockShadow& shadow = *warp.block->race;
  const SyncPoints& points = space == ptx::Space::Shared ? shadow.points : points_;
  if (points.empty()) return;
  const auto found = points.find(address);
  if (found == points.end()) return;
  WarpClock& clock = shadow.warps[warp.id];
  const SyncPoint& point = found->second;
  clock.known.acquired = std::max(clock.known.acquired, point.published);
  if (point.block != shadow.block_bits) return;
  clock.known.acquired = std::max(clock.known.acquired, point.known.acquired);
  for (uint32_t i = 0; i < shadow.warps.size(); ++i) {
    if (i == warp.id || point.known.seen[i] <= clock.known.seen[i]) continue;
    clock.known.seen[i] = point.known.seen[i];
    shadow.partial = true;
  }
}

bool Clock::released(uint64_t block, uint32_t warp, Time time, Time acquired) const {
  const auto found = releases_.find(block);
  if (found == releases_.end()) return false;
  const std::vector<Release>& list = found->second;
  const auto after = std::upper_bound(list.begin(), list.end(), acquired,
                                      [](Time t, const Release& release) { return t < release.published; });
  return after != list.begin() && std::prev(after)->seen[warp] >= time;
}

bool Clock::ordered(const Warp& warp, uint32_t lane, uint64_t cell, bool any_lane) const {
  const BlockShadow& shadow = *warp.block->race;
  const WarpClock& clock = shadow.warps[warp.id];
  const Time time = time_of(cell);
  if (time < launch_begin_) return true;
  const uint32_t other = warp_of(cell);
  if ((cell & kBlockMask) != shadow.block_bits) {
    return released(cell & kBlockMask, other, time, clock.known.acquired);
  }
  if (time < shadow.met) return true;
  if (other != warp.id) return clock.known.seen[other] >= time;
  if (any_lane || time < clock.synced) return true;
  return lane_of(cell) == lane || (clock.lanes && clock.lanes->seen[lane][lane_of(cell)] >= time);
}

bool Clock::ordered_write(const Warp& warp, uint32_t lane, uint64_t cell) const {
  if ((cell & kInFlight) != 0) return false;
  return ordered(warp, lane, cell, (cell & kUnknownLane) != 0);
}

// Has the lane met another one of its warp at a bar.warp.sync of some lanes since the last one of all?
bool Clock::has_met_some(const BlockShadow& shadow, const WarpClock& clock, uint32_t lane) const {
  if (!clock.lanes) return false;
  const Time since = std::max(clock.synced, shadow.met);
  for (uint32_t other = 0; other < kLanes; ++other)
    if (other != lane && clock.lanes->seen[lane][other] >= since) return true;
  return false;
}

// A cell knows one reader alone. Where others read too, the flags say so, and what orders that reader is
// taken to order them. Where that reader is this lane itself, a bar.warp.sync of some lanes is taken to order
// them.
bool Clock::ordered_read(const Warp& warp, uint32_t lane, uint64_t cell) const {
  const BlockShadow& shadow = *warp.block->race;
  const WarpClock& clock = shadow.warps[warp.id];
  const Time time = time_of(cell);
  if (time < launch_begin_) return true;
  if ((cell & kSeveralBlocks) != 0 && clock.known.acquired < time) return false;
  if ((cell & kBlockMask) != shadow.block_bits) {
    return (cell & kSeveralBlocks) != 0 || ordered(warp, lane, cell, false);
  }
  if (time < shadow.met) return true;
  if ((cell & kSeveralWarps) != 0 && !shadow.partial) return false;
  if ((cell & kSeveralLanes) != 0 && warp_of(cell) == warp.id && time >= clock.synced &&
      lane_of(cell) == lane) {
    return has_met_some(shadow, clock, lane);
  }
  return ordered(warp, lane, cell, false);
}

}  // namespace vgpu::check
