// mbarrier objects and what cp.async tells them.
//
// The whole state is in the 64-bit object in shared memory: arrivals still pending in this phase, arrivals
// expected in the next, bytes of transactions outstanding, the phase's parity. A state token is the object as
// it was before the arrival. A phase ends when no arrival and no transaction is outstanding.
//
// cp.async.mbarrier.arrive lets a thread's copies arrive on its behalf. The latest moment at which nobody can
// tell that it has not happened yet is when some thread asks whether the phase has ended (test_wait,
// try_wait): the copies land and arrive then, or when their warp exits.
#include "ops/mbarrier.h"

#include <cstring>
#include <vector>

#include "core/observe.h"
#include "ops/copy_queue.h"
#include "ops/memory_slow.h"

namespace vgpu {
namespace {

using namespace mbarrier_flag;

constexpr uint64_t kCountMask = 0xFFFFF;         // 20 bits: the greatest count PTX allows
constexpr uint64_t kTransactionMask = 0x3FFFFF;  // 22 bits, two's complement

struct Barrier {
  uint32_t pending = 0, expected = 0;
  int32_t bytes = 0;
  bool valid = false, odd = false;
};

Barrier unpack(uint64_t bits) {
  Barrier b;
  b.pending = bits & kCountMask;
  b.expected = bits >> 20 & kCountMask;
  b.bytes = static_cast<int32_t>(static_cast<uint32_t>(bits >> 40 & kTransactionMask) << 10) >> 10;
  b.valid = (bits >> 62 & 1) != 0;
  b.odd = bits >> 63 != 0;
  return b;
}

uint64_t pack(const Barrier& b) {
  return uint64_t{b.pending} | uint64_t{b.expected} << 20 |
         (static_cast<uint64_t>(static_cast<uint32_t>(b.bytes)) & kTransactionMask) << 40 |
         uint64_t{b.valid} << 62 | uint64_t{b.odd} << 63;
}

uint64_t load(uint64_t address) {
  uint64_t bits;
  std::memcpy(&bits, reinterpret_cast<const void*>(address), sizeof(bits));
  return bits;
}

void store(uint64_t address, const Barrier& barrier) {
  const uint64_t bits = pack(barrier);
  std::memcpy(reinterpret_cast<void*>(address), &bits, sizeof(bits));
}

void end_phase_if_done(Barrier& b) {
  if (b.pending != 0 || b.bytes != 0) return;
  b.odd = !b.odd;
  b.pending = b.expected;
}

bool checking() {
  return (enabled_checks() & static_cast<uint32_t>(Check::Sync)) != 0;
}

// The object, which should be one.
Barrier barrier_at(Warp& w, const Inst& inst, uint32_t lane, uint64_t address) {
  const Barrier barrier = unpack(load(address));
  if (!barrier.valid && checking()) finding(w, inst, Check::Sync, lane, "mbarrier has not been initialised");
  return barrier;
}

void arrive(Warp& w, const Inst& inst, uint32_t lane, Barrier& b, uint32_t count) {
  if (count > b.pending && b.valid && checking()) {
    finding(w, inst, Check::Sync, lane, "arrival of %u at an mbarrier whose phase expects only %u more",
            count, b.pending);
  }
  b.pending -= count < b.pending ? count : b.pending;
  end_phase_if_done(b);
}

MemoryRequest request_for(const Warp& w, const Inst& inst, AccessKind kind) {
  MemoryRequest request = request_of(inst, w.exec, 8, 8, kind);
  request.strong = true;
  return request;
}

void tell_observer(Warp& w, const Inst& inst, AccessKind kind, Resolved& r) {
  if (w.block->launch->observer != nullptr) announce(w, inst, request_for(w, inst, kind), r);
}

// Host addresses of the executing lanes' objects; the observer has been told.
void resolve_barrier(Warp& w, const Inst& inst, AccessKind kind, Resolved& r) {
  resolve_slow(w, inst, request_for(w, inst, kind), r);
  tell_observer(w, inst, kind, r);
}

uint32_t operand(Warp& w, Ref ref, uint32_t lane) {
  return ref == kNoRef ? 1 : lanes<uint32_t>(w, ref)[lane];
}

// Arrivals that wait for copies: of some lanes of a warp at one object.
struct LateArrival {
  uint64_t barrier = 0;
  Warp* warp = nullptr;
  uint32_t lanes = 0;
  uint64_t serial = 0;  // the copies before this one are meant
  const Inst* inst = nullptr;
};
using LateArrivals = std::vector<LateArrival>;

void perform(const LateArrival& late) {
  Warp& w = *late.warp;
  complete_copies_before(w, late.lanes, late.serial);
  uint64_t address[kLanes];
  for (uint64_t& each : address) each = late.barrier;
  Access access;  // the arrival publishes what has landed
  access.space = ptx::Space::Shared;
  access.kind = AccessKind::Atomic;
  access.strong = true;
  access.element = access.bytes = 8;
  access.mask = late.lanes;
  access.address = address;
  observe(w, *late.inst, access);
  VGPU_FOR_LANES(late.lanes, lane) {
    Barrier barrier = barrier_at(w, *late.inst, lane, late.barrier);
    arrive(w, *late.inst, lane, barrier, 1);
    store(late.barrier, barrier);
  }
}

template <class Chosen>
void perform_arrivals(Block& block, Chosen chosen) {
  if (block.async_state == nullptr) return;
  LateArrivals& list = *static_cast<LateArrivals*>(block.async_state);
  size_t kept = 0;
  for (size_t i = 0; i < list.size(); ++i) {
    if (chosen(list[i]))
      perform(list[i]);
    else
      list[kept++] = list[i];
  }
  list.resize(kept);
}

}  // namespace

Status mbarrier_init(Warp& w, const Inst& inst) {
  Resolved r;
  resolve_barrier(w, inst, AccessKind::Store, r);
  VGPU_FOR_LANES(w.exec, lane) {
    const uint32_t count = operand(w, inst.b, lane);
    if ((count == 0 || count > kCountMask) && checking())
      finding(w, inst, Check::Sync, lane, "mbarrier.init with a count of %u", count);
    Barrier barrier;
    barrier.pending = barrier.expected = count & kCountMask;
    barrier.valid = true;
    store(r.address[lane], barrier);
  }
  return Status::Next;
}

Status mbarrier_invalidate(Warp& w, const Inst& inst) {
  Resolved r;
  resolve_barrier(w, inst, AccessKind::Store, r);
  VGPU_FOR_LANES(w.exec, lane) store(r.address[lane], Barrier());
  return Status::Next;
}

Status mbarrier_arrive(Warp& w, const Inst& inst) {
  Resolved r;
  resolve_barrier(w, inst, AccessKind::Atomic, r);
  uint64_t token[kLanes];
  VGPU_FOR_LANES(w.exec, lane) {
    Barrier barrier = barrier_at(w, inst, lane, r.address[lane]);
    token[lane] = load(r.address[lane]);
    const uint32_t value = operand(w, inst.b, lane);
    const uint32_t count = (inst.count & kExpect) != 0 ? 1 : value;
    if ((inst.count & kExpect) != 0) barrier.bytes += static_cast<int32_t>(value);
    if ((inst.count & kDrop) != 0) barrier.expected -= count < barrier.expected ? count : barrier.expected;
    if ((inst.count & kNoComplete) != 0 && count >= barrier.pending && checking())
      finding(w, inst, Check::Sync, lane, "mbarrier.arrive.noComplete completes the phase");
    arrive(w, inst, lane, barrier, count);
    store(r.address[lane], barrier);
  }
  uint64_t* d = lanes<uint64_t>(w, inst.d);
  VGPU_FOR_LANES(w.exec, lane) d[lane] = token[lane];
  return Status::Next;
}

Status mbarrier_expect(Warp& w, const Inst& inst) {
  Resolved r;
  resolve_barrier(w, inst, AccessKind::Atomic, r);
  VGPU_FOR_LANES(w.exec, lane) {
    Barrier barrier = barrier_at(w, inst, lane, r.address[lane]);
    barrier.bytes += static_cast<int32_t>(operand(w, inst.b, lane));
    store(r.address[lane], barrier);
  }
  return Status::Next;
}

Status mbarrier_complete(Warp& w, const Inst& inst) {
  Resolved r;
  resolve_barrier(w, inst, AccessKind::Atomic, r);
  VGPU_FOR_LANES(w.exec, lane) {
    Barrier barrier = barrier_at(w, inst, lane, r.address[lane]);
    barrier.bytes -= static_cast<int32_t>(operand(w, inst.b, lane));
    end_phase_if_done(barrier);
    store(r.address[lane], barrier);
  }
  return Status::Next;
}

// test_wait and try_wait: the latter never suspends here, which PTX allows; a program that waits asks again.
Status mbarrier_test(Warp& w, const Inst& inst) {
  Resolved r;
  resolve_slow(w, inst, request_for(w, inst, AccessKind::Load), r);
  VGPU_FOR_LANES(w.exec, lane) {
    const uint64_t address = r.address[lane];
    perform_arrivals(*w.block, [&](const LateArrival& late) { return late.barrier == address; });
  }
  tell_observer(w, inst, AccessKind::Load, r);  // after the arrivals: what they published is seen
  uint32_t done = 0;
  VGPU_FOR_LANES(w.exec, lane) {
    const uint64_t address = r.address[lane];
    const Barrier barrier = barrier_at(w, inst, lane, address);
    const bool parity = (inst.count & kParity) != 0 ? (lanes<uint32_t>(w, inst.b)[lane] & 1) != 0
                                                    : unpack(lanes<uint64_t>(w, inst.b)[lane]).odd;
    done |= static_cast<uint32_t>(barrier.odd != parity) << lane;
  }
  // A phase that is over had, as a rule, arrivals of the whole warp: what its lanes did before is ordered for
  // those that go on. (Which lanes arrived is not known here; a race among lanes that only wait can be
  // missed.)
  Observer* observer = w.block->launch->observer;
  if (observer != nullptr && done != 0) observer->warp_barrier(w, w.members);
  uint32_t* d = lanes<uint32_t>(w, inst.d);
  *d = (*d & ~w.exec) | done;
  return done == w.exec ? Status::Next : Status::Yield;  // who polls lets the others run
}

Status mbarrier_pending_count(Warp& w, const Inst& inst) {
  uint32_t count[kLanes];
  const uint64_t* token = lanes<uint64_t>(w, inst.b);
  for (uint32_t i = 0; i < kLanes; ++i) count[i] = unpack(token[i]).pending;
  uint32_t* d = lanes<uint32_t>(w, inst.d);
  VGPU_FOR_LANES(w.exec, lane) d[lane] = count[lane];
  return Status::Next;
}

Status mbarrier_arrive_after_copies(Warp& w, const Inst& inst) {
  Resolved r;
  resolve_barrier(w, inst, AccessKind::Atomic, r);
  Block& block = *w.block;
  if (block.async_state == nullptr) block.async_state = new LateArrivals;
  LateArrivals& list = *static_cast<LateArrivals*>(block.async_state);
  uint32_t rest = w.exec;
  while (rest != 0) {
    LateArrival late;
    late.barrier = r.address[__builtin_ctz(rest)];
    late.warp = &w;
    late.serial = next_copy_serial(w);
    late.inst = &inst;
    VGPU_FOR_LANES(rest, lane) {
      if (r.address[lane] != late.barrier) continue;
      late.lanes |= 1u << lane;
      if ((inst.count & kNoIncrement) != 0) continue;
      Barrier barrier = barrier_at(w, inst, lane, late.barrier);
      ++barrier.pending;
      store(late.barrier, barrier);
    }
    rest &= ~late.lanes;
    list.push_back(late);
  }
  return Status::Next;
}

void perform_arrivals_of(Warp& w) {
  perform_arrivals(*w.block, [&](const LateArrival& late) { return late.warp == &w; });
}

void forget_arrivals(Block& block) {
  delete static_cast<LateArrivals*>(block.async_state);
  block.async_state = nullptr;
}

}  // namespace vgpu
