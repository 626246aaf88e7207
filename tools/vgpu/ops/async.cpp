// Asynchronous copies: what is in flight, and when it lands.
//
// cp.async reads its source at once and holds the data back. The destination is written only when the issuing
// thread waits for the copy (cp.async.wait_group, wait_all, or an mbarrier that tracks it): the latest legal
// moment, so that a program that forgets to wait sees what was there before. Groups are counted for every
// lane on its own, as PTX has it.
#include "ops/async.h"

#include <cstring>
#include <deque>

#include "core/observe.h"
#include "ops/copy_queue.h"
#include "ops/mbarrier.h"

namespace vgpu {
namespace {

struct WarpCopies {
  std::deque<PendingCopy> pending;  // oldest first
  uint64_t serial = 0;
  uint32_t committed[kLanes] = {};
};

WarpCopies& copies_of(Warp& w) {
  if (w.async_state == nullptr) w.async_state = new WarpCopies;
  return *static_cast<WarpCopies*>(w.async_state);
}

void land(Warp& w, PendingCopy& copy, uint32_t lanes) {
  Access access;
  access.space = ptx::Space::Shared;
  access.kind = AccessKind::AsyncCopyWrite;
  access.element = access.bytes = static_cast<uint8_t>(copy.bytes);
  access.mask = lanes;
  access.address = copy.to;
  observe(w, *copy.inst, access);
  VGPU_FOR_LANES(lanes, i) std::memcpy(reinterpret_cast<void*>(copy.to[i]), copy.data[i], copy.bytes);
  copy.lanes &= ~lanes;
}

void drop_landed(WarpCopies& copies) {
  while (!copies.pending.empty() && copies.pending.front().lanes == 0) copies.pending.pop_front();
}

// Completes the copies of `lanes` that belong to a group older than the `keep` youngest committed ones.
void complete_groups(Warp& w, WarpCopies& copies, uint32_t lanes, uint32_t keep) {
  for (PendingCopy& copy : copies.pending) {
    uint32_t ready = 0;
    for (uint32_t i = 0; i < kLanes; ++i)
      ready |= static_cast<uint32_t>(uint64_t{copy.group[i]} + keep < copies.committed[i]) << i;
    ready &= copy.lanes & lanes;
    if (ready != 0) land(w, copy, ready);
  }
  drop_landed(copies);
}

}  // namespace

PendingCopy& push_copy(Warp& w, const Inst& inst, uint32_t bytes) {
  WarpCopies& copies = copies_of(w);
  PendingCopy& copy = copies.pending.emplace_back();
  copy.lanes = w.exec;
  copy.bytes = bytes;
  copy.inst = &inst;
  copy.serial = copies.serial++;
  std::memcpy(copy.group, copies.committed, sizeof(copy.group));
  return copy;
}

uint64_t next_copy_serial(const Warp& w) {
  return w.async_state == nullptr ? 0 : static_cast<const WarpCopies*>(w.async_state)->serial;
}

Status commit_group(Warp& w, const Inst&) {
  WarpCopies& copies = copies_of(w);
  VGPU_FOR_LANES(w.exec, i)++ copies.committed[i];
  return Status::Next;
}

Status wait_group(Warp& w, const Inst& inst) {
  if (w.async_state == nullptr) return Status::Next;
  complete_groups(w, copies_of(w), w.exec, static_cast<uint32_t>(inst.imm));
  return Status::Next;
}

Status wait_all(Warp& w, const Inst&) {
  if (w.async_state != nullptr) complete_copies_before(w, w.exec, next_copy_serial(w));
  return Status::Next;
}

void complete_copies_before(Warp& w, uint32_t lanes, uint64_t serial) {
  if (w.async_state == nullptr) return;
  WarpCopies& copies = copies_of(w);
  for (PendingCopy& copy : copies.pending) {
    if (copy.serial >= serial) break;
    const uint32_t ready = copy.lanes & lanes;
    if (ready != 0) land(w, copy, ready);
  }
  drop_landed(copies);
}

void end_warp_async(Warp& w) {
  perform_arrivals_of(w);
  if (w.async_state == nullptr) return;
  WarpCopies* copies = static_cast<WarpCopies*>(w.async_state);
  for (const PendingCopy& copy : copies->pending) {
    if (copy.lanes == 0 || (enabled_checks() & static_cast<uint32_t>(Check::Sync)) == 0) continue;
    finding(w, *copy.inst, Check::Sync, static_cast<uint32_t>(__builtin_ctz(copy.lanes)),
            "cp.async was never waited for");
  }
  delete copies;
  w.async_state = nullptr;
}

void end_block_async(Block& block) {
  forget_arrivals(block);
}

}  // namespace vgpu
