// The seam between memory handlers and the checkers and counters.
//
// A launch that has an observer or counters runs on one thread: nothing behind this seam takes a lock.
// A handler that touches memory calls observe() for every instruction, before it loads or stores, when the
// launch has an observer. Addresses are physical (host) ones, already checked against bounds.
#pragma once

#include <cstdint>

#include "core/block.h"
#include "core/warp.h"
#include "ptx/module.h"

namespace vgpu {

// A cp.async reads global memory and announces its destination when it is issued, and writes it when it is
// waited for.
enum class AccessKind : uint8_t { Load, Store, Atomic, AsyncCopyRead, AsyncCopyIssue, AsyncCopyWrite };

// How the lanes' addresses lie, where the handler knows already.
enum class Pattern : uint8_t {
  General,
  Uniform /* all equal */,
  Contiguous /* address[0] + lane * bytes, all lanes */
};

struct Access {
  ptx::Space space = ptx::Space::Global;  // Global, Shared, Local, Const or Param; generic ones are resolved
  AccessKind kind = AccessKind::Load;
  Pattern pattern = Pattern::General;
  bool strong = false;  // volatile, relaxed, acquire, release, atomics: not a data race by itself
  uint8_t element = 4;  // bytes of one element: 1, 2, 4, 8, 16
  uint8_t bytes = 4;    // bytes a lane: element * vector width
  uint32_t mask = 0;    // lanes that access
  // [32]; entries of other lanes are undefined. Uniform, Contiguous: only that of the first lane is defined.
  const uint64_t* address = nullptr;
};

class Observer {
 public:
  virtual ~Observer() = default;
  virtual void access(Warp& warp, const Inst& inst, const Access& access) = 0;
  // Every lane of `mask` has passed a bar.warp.sync; once a sync, not once a fragment.
  virtual void warp_barrier(Warp& warp, uint32_t mask) = 0;
  // The warp executes bar.arrive: what it did so far comes before what the barrier's waiters do next.
  virtual void barrier_arrive(Warp& warp, uint32_t barrier) = 0;
  // Barrier number `barrier` completes: the warps of `waited` (bit a warp) meet now, before any of them goes
  // on.
  virtual void block_barrier(Block& block, uint32_t barrier, uint32_t waited) = 0;
  // membar and fence of every kind; device_scope: .gl, .gpu, .sys. Release and acquire on an access itself
  // need no call.
  virtual void fence(Warp& warp, bool device_scope) = 0;
  virtual void mma(Warp& warp, const Inst& inst, uint64_t flops) = 0;
  virtual void branch(Warp& warp, const Inst& inst, bool diverged) = 0;
  virtual void block_begin(Block& block) = 0;  // makes block.race
  virtual void block_end(Block& block) = 0;
};

VGPU_INLINE void observe(Warp& w, const Inst& inst, const Access& access) {
  if (w.block->launch->observer != nullptr) w.block->launch->observer->access(w, inst, access);
}

// Executions and active lanes of every instruction, by pc; the engine counts, check/ makes a table of it.
struct KernelCounters {
  std::vector<uint64_t> executed, lanes;
};

// What a launch read and wrote, as exact byte ranges; collected for the stream checker (VGPU_CHECK=sync).
struct Footprint {
  struct Range {
    uint64_t begin, end;
  };
  std::vector<Range> reads, writes;  // sorted, disjoint, once the launch has ended
};

// Called by execute() round a launch, in check/: sets launch.observer, counters and footprint as VGPU_CHECK
// and VGPU_COUNT ask for, and takes them back.
void begin_observation(Launch& launch);
void end_observation(Launch& launch);

}  // namespace vgpu
