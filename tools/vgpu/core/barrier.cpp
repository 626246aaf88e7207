// Block barriers. Threads are counted, not warps: since Volta every lane arrives for itself, and threads that
// have exited are not waited for. The aligned forms (`bar`, `barrier.aligned`) want the whole warp at one
// instruction: a fragment first waits for its warp mates; when they wait elsewhere, that is barrier
// divergence, a finding, and it arrives alone.
#include "core/barrier.h"

#include "core/fragments.h"
#include "core/observe.h"

namespace vgpu {
namespace {

uint32_t operand(Warp& warp, Ref ref) {
  return lanes<uint32_t>(warp, ref)[first_lane(warp.exec)];
}

uint32_t barrier_number(Warp& warp, const Inst& inst) {
  const uint32_t number = operand(warp, inst.a);
  if (number >= kBarriers)
    fault(warp, inst, 719, first_lane(warp.exec), "barrier %u: a block has barriers 0 to 15", number);
  return number;
}

void complete(Block& block, uint32_t number) {
  BlockBarriers& barriers = *block.barriers;
  BarrierState& state = barriers.state[number];
  barriers.all[number] = state.all;
  barriers.any[number] = state.any;
  barriers.count[number] = state.count;
  for (uint32_t i = 0; i < block.warps.size(); ++i) {
    if (!(state.waiting >> i & 1)) continue;
    ++block.warps[i].barrier_phase;
    for (Fragment& fragment : block.warps[i].lanes->list) {
      if (fragment.wait != Wait::Barrier || fragment.wait_mask != number) continue;
      fragment.wait = Wait::None;
      fragment.released = 2;
    }
  }
  if (block.launch->observer != nullptr) block.launch->observer->block_barrier(block, number, state.waiting);
  state = BarrierState{};
}

bool is_complete(const Block& block, const BarrierState& state) {
  if (state.warps == 0) return false;
  if (state.expected != 0) return state.threads >= state.expected;
  for (uint32_t i = 0; i < block.warps.size(); ++i)
    if ((block.warps[i].live & ~state.arrived[i]) != 0) return false;
  return true;
}

void report_divergence(Warp& warp, const Inst& inst) {
  const uint32_t elsewhere = warp.live & ~warp.active;
  finding(warp, inst, Check::Sync, first_lane(warp.active),
          "barrier divergence: lanes 0x%08x of the warp wait at this barrier, lanes 0x%08x wait elsewhere",
          warp.active, elsewhere);
}

// Books the running fragment's lanes as arrived; checks the count operand.
uint32_t arrive(Warp& warp, const Inst& inst, bool waits) {
  Block& block = *warp.block;
  const bool aligned = inst.flags & barrier_flag::kAligned;
  const uint32_t number = barrier_number(warp, inst);
  BarrierState& state = block.barriers->state[number];
  if (inst.b != kNoRef) {
    const uint32_t expected = operand(warp, inst.b);
    if (expected == 0 || expected % kLanes != 0 || (state.expected != 0 && state.expected != expected))
      fault(warp, inst, 719, first_lane(warp.exec),
            "barrier %u: a count must be a positive multiple of 32 and the same for all (%u, so far %u)",
            number, expected, state.expected);
    state.expected = expected;
  }
  const uint32_t bit = 1u << warp.id;
  const uint32_t newcomers = warp.active & ~state.arrived[warp.id];
  if (aligned)
    state.threads += (state.warps & bit) ? 0 : kLanes;
  else
    state.threads += static_cast<uint32_t>(__builtin_popcount(newcomers));
  state.arrived[warp.id] |= warp.active;
  state.warps |= bit;
  if (waits) state.waiting |= bit;
  if (inst.c != kNoRef) {
    uint32_t predicate = *lanes<uint32_t>(warp, inst.c);
    if (inst.flags & barrier_flag::kNegated) predicate = ~predicate;
    state.all = state.all && (warp.active & ~predicate) == 0;
    state.any = state.any || (warp.active & predicate) != 0;
    state.count += static_cast<uint32_t>(__builtin_popcount(warp.active & predicate));
  }
  return number;
}

void write_result(Warp& warp, const Inst& inst) {
  if (inst.d == kNoRef) return;
  const BlockBarriers& barriers = *warp.block->barriers;
  const uint32_t number = operand(warp, inst.a);
  if (inst.flags & barrier_flag::kReduceCount) {
    VGPU_FOR_LANES(warp.exec, lane) lanes<uint32_t>(warp, inst.d)[lane] = barriers.count[number];
    return;
  }
  const bool result = (inst.flags & barrier_flag::kReduceAll) ? barriers.all[number] : barriers.any[number];
  uint32_t& mask = *lanes<uint32_t>(warp, inst.d);
  mask = result ? mask | warp.exec : mask & ~warp.exec;
}

// An aligned barrier is for whole warps: true when the running fragment must wait for lanes that are still to
// come.
bool waits_for_warp_mates(Warp& warp, const Inst& inst) {
  Fragment& fragment = running(warp);
  if ((inst.flags & barrier_flag::kAligned) && (warp.live & ~warp.active) != 0) {
    if (fragment.released == 0) {
      fragment.wait = Wait::Aligned;
      ++warp.lanes->aligned_waiters;
      return true;
    }
    report_divergence(warp, inst);
  }
  fragment.released = 0;
  return false;
}

}  // namespace

Status barrier_sync(Warp& warp, const Inst& inst) {
  if (running(warp).released == 2) {
    running(warp).released = 0;
    write_result(warp, inst);
    return Status::Next;
  }
  leave_others_behind(warp);
  if (waits_for_warp_mates(warp, inst)) return Status::Blocked;
  Fragment& fragment = running(warp);
  const uint32_t number = arrive(warp, inst, true);
  fragment.wait = Wait::Barrier;
  fragment.wait_mask = number;
  Block& block = *warp.block;
  if (is_complete(block, block.barriers->state[number])) complete(block, number);
  return Status::Blocked;
}

Status barrier_arrive(Warp& warp, const Inst& inst) {
  leave_others_behind(warp);
  if (waits_for_warp_mates(warp, inst)) return Status::Blocked;
  Block& block = *warp.block;
  const uint32_t number = arrive(warp, inst, false);
  if (block.launch->observer != nullptr) block.launch->observer->barrier_arrive(warp, number);
  if (is_complete(block, block.barriers->state[number])) complete(block, number);
  ++warp.pc;
  return Status::Jumped;
}

void recheck_barriers(Block& block) {
  for (uint32_t number = 0; number < kBarriers; ++number) {
    BarrierState& state = block.barriers->state[number];
    if (state.waiting != 0 && state.expected == 0 && is_complete(block, state)) complete(block, number);
  }
}

}  // namespace vgpu
