// The engine's inner loop: which fragment of a warp runs, until when, and how lanes part and meet again.
//
// Rule: of the fragments that can run, the one in the deepest call and at the smallest pc. It runs up to the
// pc of the next fragment in its frame (`limit`), where the two become one.
#include "core/warp.h"

#include <algorithm>

#include "core/fragments.h"
#include "core/observe.h"
#include "core/random.h"
#include "core/report.h"
#include "core/trace.h"

namespace vgpu {
namespace {

constexpr uint32_t kNobody = 0xFFFFFFFFu;

void release_frame(Fragments& fragments, uint32_t index) {
  while (--fragments.frames[index].users == 0 && fragments.frames[index].depth > 0)
    index = fragments.frames[index].parent;
}

void remove_fragment(Fragments& fragments, uint32_t index) {
  if (fragments.list[index].wait == Wait::Aligned) --fragments.aligned_waiters;
  release_frame(fragments, fragments.list[index].frame);
  fragments.list[index] = fragments.list.back();
  fragments.list.pop_back();
}

void wake(Fragments& fragments, Fragment& fragment) {
  if (fragment.wait == Wait::Aligned) --fragments.aligned_waiters;
  fragment.wait = Wait::None;
}

bool can_run(const Fragment& fragment) {
  return fragment.wait == Wait::None && !fragment.held;
}

bool before(const Fragments& fragments, const Fragment& a, const Fragment& b) {
  const uint32_t depth_a = fragments.frames[a.frame].depth, depth_b = fragments.frames[b.frame].depth;
  if (depth_a != depth_b) return depth_a > depth_b;
  if (a.pc != b.pc) return a.pc < b.pc;
  return a.released > b.released;
}

uint32_t first_runnable(Fragments& fragments) {
  uint32_t best = kNobody, seen = 0;
  for (uint32_t i = 0; i < fragments.list.size(); ++i) {
    if (!can_run(fragments.list[i])) continue;
    if (fragments.rotate != 0 && ++seen == fragments.rotate)
      return i;  // somebody else's turn, see run_warp()
    if (best == kNobody || before(fragments, fragments.list[i], fragments.list[best])) best = i;
  }
  return best;
}

// Nobody can run: who may be woken? In this order: fragments kept back by splitting, collectives whose
// situation has changed since they blocked, aligned barriers whose warp mates will not come.
bool wake_somebody(Fragments& fragments) {
  bool woken = false;
  for (Fragment& fragment : fragments.list) {
    woken |= fragment.held;
    fragment.held = false;
  }
  if (woken) return true;
  for (Fragment& fragment : fragments.list) {
    if (fragment.wait != Wait::Lanes || fragment.stamp == fragments.changes) continue;
    wake(fragments, fragment);
    return true;
  }
  for (Fragment& fragment : fragments.list) {
    if (fragment.wait != Wait::Aligned) continue;
    wake(fragments, fragment);
    fragment.released = 1;
    woken = true;
  }
  return woken;
}

uint32_t pick(Fragments& fragments) {
  if (fragments.list.size() == 1 && can_run(fragments.list[0])) return 0;
  uint32_t best = first_runnable(fragments);
  while (best == kNobody && wake_somebody(fragments)) best = first_runnable(fragments);
  return best;
}

// Takes in every fragment that stands at the same place. Returns the index, which may have moved.
uint32_t merge_with_neighbours(Fragments& fragments, uint32_t index) {
  for (uint32_t i = 0; i < fragments.list.size();) {
    Fragment& mine = fragments.list[index];
    Fragment& other = fragments.list[i];
    const bool meets = i != index && other.pc == mine.pc && other.frame == mine.frame && !other.held &&
                       other.wait != Wait::Barrier && other.released != 2 && mine.released != 2;
    if (!meets) {
      ++i;
      continue;
    }
    mine.mask |= other.mask;
    mine.worked |= other.worked;
    mine.released |= other.released;
    ++fragments.changes;
    const bool mine_is_last = index == fragments.list.size() - 1;
    remove_fragment(fragments, i);
    if (mine_is_last) index = i;
    i = 0;
  }
  return index;
}

uint32_t pc_limit(const Fragments& fragments, const Fragment& mine) {
  uint32_t limit = kNobody;
  for (const Fragment& other : fragments.list) {
    if (other.frame == mine.frame && other.pc > mine.pc && other.wait != Wait::Barrier && !other.held &&
        other.pc < limit)
      limit = other.pc;
  }
  return limit;
}

void load(Warp& warp, const Fragment& fragment) {
  const Frame& frame = warp.lanes->frames[fragment.frame];
  warp.base[0] = warp.lanes->registers + frame.window;
  warp.local_base = frame.local_base;
  warp.active = fragment.mask;
  warp.pc = fragment.pc;
}

// The random schedule sometimes runs another fragment than the lowest one, which may spin for it.
void disturb(Fragments& fragments) {
  const uint64_t dice = next_random(fragments.random);
  const auto count = static_cast<uint32_t>(fragments.list.size());
  fragments.rotate = count > 1 && (dice & 7) == 0 ? 1 + static_cast<uint32_t>(dice >> 32) % count : 0;
}

// The warp-splitting schedule: now and then half of a fragment is kept back while the other half runs ahead.
void split_at_random(Fragments& fragments, uint32_t index) {
  Fragment& fragment = fragments.list[index];
  const uint64_t dice = next_random(fragments.random);
  if ((dice & 7) == 0)
    for (Fragment& other : fragments.list) other.held = false;
  const uint32_t part = fragment.mask & static_cast<uint32_t>(dice >> 16);
  if ((dice >> 3 & 3) != 0 || part == 0 || part == fragment.mask || fragment.released != 0) return;
  Fragment behind = fragment;
  behind.mask = fragment.mask & ~part;
  behind.held = true;
  fragment.mask = part;
  ++fragments.frames[fragment.frame].users;
  fragments.list.push_back(behind);
}

Status step(Warp& warp, const Inst* code) {
  const Inst& inst = code[warp.pc];
  warp.exec = warp.active;
  if (inst.guard != kNoRef) {
    const uint32_t guard = *lanes<uint32_t>(warp, inst.guard);
    warp.exec &= inst.guard_negated ? ~guard : guard;
    if (warp.exec == 0) return Status::Next;
  }
  return inst.run(warp, inst);
}

// Do warp mates wait at an aligned barrier that lies before this pc? (Lanes that have not come so far yet are
// innocent.)
bool is_past_a_waited_barrier(const Warp& warp, uint32_t pc) {
  for (const Fragment& other : warp.lanes->list)
    if (other.wait == Wait::Aligned && other.pc < pc) return true;
  return false;
}

// As step(), and counts, and notes who works beyond an aligned barrier where warp mates wait.
Status observed_step(Warp& warp, const Inst* code) {
  const Launch& launch = *warp.block->launch;
  const uint32_t pc = warp.pc;
  const Status status = step(warp, code);
  if (launch.counters != nullptr && status != Status::Blocked && warp.exec != 0) {
    ++launch.counters->executed[pc];
    launch.counters->lanes[pc] += static_cast<uint32_t>(__builtin_popcount(warp.exec));
  }
  if (status == Status::Next && warp.lanes->aligned_waiters != 0 && is_past_a_waited_barrier(warp, pc))
    running(warp).worked = true;
  return status;
}

Status traced_step(Warp& warp, const Inst* code) {
  trace(warp, code[warp.pc]);
  return observed_step(warp, code);
}

bool needs_observation(const Warp& warp) {
  return warp.block->launch->counters != nullptr || warp.lanes->aligned_waiters != 0;
}

// Runs the loaded fragment up to `limit` or until `fuel` is used up.
template <Status (*Step)(Warp&, const Inst*)>
void run_fragment(Warp& warp, uint32_t limit, uint64_t& fuel) {
  const Inst* code = warp.block->launch->program->code.data();
  while (warp.pc < limit) {
    if (fuel == 0) return;
    --fuel;
    const Status status = Step(warp, code);
    if (status == Status::Next) {
      ++warp.pc;
      continue;
    }
    if (status == Status::Branched) continue;
    if (status == Status::Yield) {
      ++warp.pc;
      warp.lanes->yielded = true;
    }
    if (status == Status::Blocked) {
      Fragment& fragment = running(warp);
      if (fragment.wait == Wait::None && fragment.released == 0) {
        fragment.wait = Wait::Lanes;
        fragment.stamp = warp.lanes->changes;
      }
    }
    return;
  }
}

bool at_warp_barrier(const Program& program, uint32_t pc) {
  const ptx::Instruction* instruction = program.sources[program.code[pc].source].instruction;
  return instruction != nullptr && instruction->has("warp") && instruction->opcode == "bar";
}

// bar.warp.sync lets lanes meet at different places: true when the absent ones all wait at another one for
// the same members; they are released with the running fragment.
bool meet_at_warp_barriers(Warp& warp, uint32_t member_mask, uint32_t absent) {
  const Program& program = *warp.block->launch->program;
  if (!at_warp_barrier(program, warp.pc)) return false;
  Fragments& fragments = *warp.lanes;
  const auto waits_too = [&](const Fragment& other) {
    return other.wait == Wait::Lanes && other.wait_mask == member_mask && at_warp_barrier(program, other.pc);
  };
  uint32_t there = 0;
  for (const Fragment& other : fragments.list)
    if (waits_too(other)) there |= other.mask;
  if ((absent & ~there) != 0) return false;
  for (Fragment& other : fragments.list) {
    if (!waits_too(other)) continue;
    other.wait = Wait::None;
    other.released = 2;
  }
  return true;
}

}  // namespace

Turn run_warp(Warp& warp, uint64_t fuel) {
  Fragments& fragments = *warp.lanes;
  const uint32_t changes_before = fragments.changes;
  const uint64_t fuel_before = fuel;
  fragments.yielded = false;
  while (fuel != 0 && !fragments.yielded) {
    if (fragments.random != 0) disturb(fragments);
    uint32_t index = pick(fragments);
    if (index == kNobody) {
      fragments.executed += fuel_before - fuel;
      return fragments.list.empty() ? Turn::Exited : Turn::Waiting;
    }
    uint64_t slice = fuel;
    if (fragments.list.size() > 1) index = merge_with_neighbours(fragments, index);
    if (fragments.random != 0) {
      split_at_random(fragments, index);
      slice = 1 + next_random(fragments.random) % 64;
      if (slice > fuel) slice = fuel;
    }
    fragments.current = index;
    load(warp, fragments.list[index]);
    const uint32_t limit = fragments.list.size() > 1 ? pc_limit(fragments, fragments.list[index]) : kNobody;
    const uint64_t slice_before = slice;
    if (trace_enabled())
      run_fragment<traced_step>(warp, limit, slice);
    else if (needs_observation(warp))
      run_fragment<observed_step>(warp, limit, slice);
    else
      run_fragment<step>(warp, limit, slice);
    fuel -= slice_before - slice;
    if (fragments.current != kNobody) fragments.list[fragments.current].pc = warp.pc;
  }
  fragments.executed += fuel_before - fuel;
  // Lanes that spin for their warp mates would spin for ever if the smallest pc always won.
  const bool stuck = fragments.changes == changes_before && fragments.list.size() > 1;
  fragments.rotate = stuck ? (fragments.rotate + 1) % static_cast<uint32_t>(fragments.list.size() + 1) : 0;
  return Turn::OutOfFuel;
}

void split_off(Warp& warp, uint32_t mask, uint32_t pc) {
  Fragments& fragments = *warp.lanes;
  Fragment other;
  other.pc = pc;
  other.mask = mask;
  other.frame = running(warp).frame;
  other.worked = running(warp).worked;
  ++fragments.frames[other.frame].users;
  ++fragments.changes;
  running(warp).mask &= ~mask;
  warp.active &= ~mask;
  fragments.list.push_back(other);
}

void leave_others_behind(Warp& warp) {
  if (warp.exec != warp.active) split_off(warp, warp.active & ~warp.exec, warp.pc + 1);
}

void retire(Warp& warp, uint32_t mask) {
  Fragments& fragments = *warp.lanes;
  Fragment& fragment = running(warp);
  if (fragment.worked && fragments.aligned_waiters != 0 &&
      (enabled_checks() & static_cast<uint32_t>(Check::Sync))) {
    const Program& program = *warp.block->launch->program;
    for (const Fragment& waiting : fragments.list) {
      if (waiting.wait != Wait::Aligned) continue;
      const Inst& barrier = program.code[waiting.pc];
      finding(warp, barrier, Check::Sync, static_cast<uint32_t>(__builtin_ctz(waiting.mask)),
              "barrier divergence: lanes 0x%08x of the warp wait at this barrier, lanes 0x%08x passed it by "
              "and exited",
              waiting.mask, mask);
    }
  }
  fragment.mask &= ~mask;
  warp.active &= ~mask;
  warp.live &= ~mask;
  ++fragments.changes;
  if (fragment.mask != 0) return;
  remove_fragment(fragments, fragments.current);
  fragments.current = kNobody;
}

void enter_function(Warp& warp, const Inst& inst, const FunctionCode& callee) {
  Fragments& fragments = *warp.lanes;
  leave_others_behind(warp);
  Frame frame;
  frame.function = &callee;
  frame.parent = running(warp).frame;
  frame.return_pc = warp.pc + 1;
  frame.return_area = warp.refs[inst.extra];
  frame.return_stride = warp.refs[inst.extra + 1];
  frame.depth = fragments.frames[frame.parent].depth + 1;
  frame.users = 1;
  for (const Frame& other : fragments.frames) {
    if (other.users == 0) continue;
    frame.window = std::max(frame.window, other.window + other.function->window_bytes);
    frame.local_base =
        std::max(frame.local_base, (other.local_base + other.function->local_bytes + 15) & ~15u);
  }
  if (frame.window + callee.window_bytes > fragments.register_bytes ||
      frame.local_base + callee.local_bytes > fragments.local_bytes)
    fault(warp, inst, 719, static_cast<uint32_t>(__builtin_ctz(warp.exec)),
          "stack overflow: %u calls deep, %u bytes of local memory a thread", frame.depth,
          fragments.local_bytes);
  uint8_t* window = fragments.registers + frame.window;
  for (uint32_t i = 0; i < inst.count && i < callee.params.size(); ++i) {
    const uint8_t* from = lanes<uint8_t>(warp, warp.refs[inst.extra + 2 + 2 * i]);
    const ParamSlot& to = callee.params[i];
    const uint32_t bytes = std::min(to.stride, warp.refs[inst.extra + 3 + 2 * i]);
    for (uint32_t lane = 0; lane < kLanes; ++lane)
      std::memcpy(window + to.area + lane * to.stride, from + lane * warp.refs[inst.extra + 3 + 2 * i],
                  bytes);
  }
  uint32_t index = 0;
  while (index < fragments.frames.size() && fragments.frames[index].users != 0) ++index;
  if (index == fragments.frames.size()) fragments.frames.emplace_back();
  fragments.frames[index] =
      frame;  // takes over the caller's place among its frame's users: the child keeps it alive
  running(warp).frame = index;
  warp.pc = callee.entry_pc;
}

void leave_function(Warp& warp) {
  Fragments& fragments = *warp.lanes;
  leave_others_behind(warp);
  Fragment& fragment = running(warp);
  const Frame frame = fragments.frames[fragment.frame];
  if (frame.return_area != kNoRef && !frame.function->returns.empty()) {
    const ParamSlot& from = frame.function->returns[0];
    uint8_t* caller = fragments.registers + fragments.frames[frame.parent].window + frame.return_area;
    const uint32_t bytes = std::min(from.stride, frame.return_stride);
    VGPU_FOR_LANES(fragment.mask, lane) {
      std::memcpy(caller + lane * frame.return_stride, warp.base[0] + from.area + lane * from.stride, bytes);
    }
  }
  ++fragments.frames[frame.parent].users;
  release_frame(fragments, fragment.frame);
  fragment.frame = frame.parent;
  warp.pc = frame.return_pc;
  ++fragments.changes;
}

bool lanes_arrived(Warp& warp, uint32_t member_mask) {
  const uint32_t absent = member_mask & warp.live & ~warp.active;
  Fragment& mine = running(warp);
  if (absent == 0 || mine.released == 2 || meet_at_warp_barriers(warp, member_mask, absent)) {
    mine.released = 0;
    return true;
  }
  mine.wait = Wait::Lanes;
  mine.wait_mask = member_mask;
  mine.stamp = warp.lanes->changes;
  return false;
}

}  // namespace vgpu
