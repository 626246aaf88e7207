// cp.async, and the table of the asynchronous handlers; those that are not about moving data live in
// ops/async.cpp and ops/mbarrier.cpp, compiled once.
#include "ops/copy_queue.h"
#include "ops/mbarrier.h"
#include "ops/memory_support.h"

namespace vgpu::VGPU_ISA {
namespace {

// Refs at inst.extra; inst itself describes the source.
enum CopyOperand : uint32_t {
  kToBase,
  kToOffset,
  kToFlags,
  kSize /* or kNoRef */,
  kIgnore /* predicate or kNoRef */
};

template <uint32_t kBytes>
VGPU_INLINE void resolve_destination(Warp& w, const Inst& inst, Resolved& r) {
  Inst to = inst;
  to.a = w.refs[inst.extra + kToBase];
  to.imm = static_cast<int32_t>(w.refs[inst.extra + kToOffset]);
  to.flags = static_cast<uint16_t>(w.refs[inst.extra + kToFlags]);
  const MemoryRequest request = request_of(to, w.exec, kBytes, kBytes, AccessKind::AsyncCopyIssue);
  if (!resolve_shared<kBytes>(w, to, r)) resolve_slow(w, inst, request, r);
  if (w.block->launch->observer != nullptr) announce(w, inst, request, r);
}

// Tells the observer of a read whose size need not be a power of two: in pieces whose sizes are.
__attribute__((noinline)) void announce_pieces(Warp& w, const Inst& inst, MemoryRequest request,
                                               const Resolved& r) {
  const uint32_t size = request.bytes;
  for (uint32_t piece = 16, done = 0; piece != 0; piece /= 2) {
    if ((size & piece) == 0) continue;
    Resolved part = r;
    if (part.pattern == Pattern::Contiguous) part.pattern = Pattern::General;  // pieces leave gaps
    part.first += done;
    VGPU_FOR_LANES(request.mask, i) part.address[i] += done;
    request.bytes = piece;
    request.element = piece < 4 ? piece : 4;
    announce(w, inst, request, part);
    done += piece;
  }
}

// Reads `size` bytes of every lane of `mask`; the address must be a multiple of kBytes all the same.
template <uint32_t kBytes>
VGPU_INLINE void read_source(Warp& w, const Inst& inst, uint32_t mask, uint32_t size, uint8_t (*data)[16]) {
  const uint32_t running = w.exec;
  w.exec = mask;
  Resolved r;
  MemoryRequest request = request_of(inst, mask, size, 4, AccessKind::AsyncCopyRead);
  request.alignment = kBytes;
  const bool whole = size == kBytes;
  if (!whole || !resolve_global<kBytes>(w, inst, false, r)) resolve_slow(w, inst, request, r);
  if (w.block->launch->observer != nullptr) {
    if (whole)
      announce(w, inst, request, r);
    else
      announce_pieces(w, inst, request, r);
  }
  w.exec = running;
  if (whole) {
    VGPU_FOR_LANES(mask, i)
    memcpy(data[i], reinterpret_cast<const void*>(lane_address<kBytes>(r, i)), kBytes);
  } else {
    VGPU_FOR_LANES(mask, i) {
      memset(data[i], 0, kBytes);
      memcpy(data[i], reinterpret_cast<const void*>(lane_address<kBytes>(r, i)), size);
    }
  }
}

template <uint32_t kBytes>
Status copy_async(Warp& w, const Inst& inst) {
  Resolved to;
  resolve_destination<kBytes>(w, inst, to);
  uint32_t size[kLanes];
  const Ref size_ref = w.refs[inst.extra + kSize], ignore_ref = w.refs[inst.extra + kIgnore];
  for (uint32_t i = 0; i < kLanes; ++i) size[i] = kBytes;
  if (size_ref != kNoRef) {
    const uint32_t* given = lanes<uint32_t>(w, size_ref);
    for (uint32_t i = 0; i < kLanes; ++i) size[i] = given[i] < kBytes ? given[i] : kBytes;
  }
  const uint32_t ignored = ignore_ref == kNoRef ? 0 : read_mask(w, ignore_ref);
  PendingCopy& copy = push_copy(w, inst, kBytes);
  VGPU_FOR_LANES(w.exec, i) copy.to[i] = lane_address<kBytes>(to, i);
  uint32_t rest = w.exec;
  while (rest != 0) {
    const uint32_t first = static_cast<uint32_t>(__builtin_ctz(rest));
    const bool none = size[first] == 0 || (ignored >> first & 1) != 0;
    uint32_t alike = 0;
    for (uint32_t i = 0; i < kLanes; ++i) {
      const bool lane_none = size[i] == 0 || (ignored >> i & 1) != 0;
      alike |= static_cast<uint32_t>(none ? lane_none : !lane_none && size[i] == size[first]) << i;
    }
    alike &= rest;
    if (none) {
      VGPU_FOR_LANES(alike, i) memset(copy.data[i], 0, kBytes);
    } else {
      read_source<kBytes>(w, inst, alike, size[first], copy.data);
    }
    rest &= ~alike;
  }
  return Status::Next;
}

Status nothing(Warp&, const Inst&) {
  return Status::Next;
}

}  // namespace

const HandlerEntry kAsyncHandlers[] = {
    {"cp.async.4", copy_async<4>},
    {"cp.async.8", copy_async<8>},
    {"cp.async.16", copy_async<16>},
    {"cp.async.commit_group", commit_group},
    {"cp.async.wait_group", wait_group},
    {"cp.async.wait_all", wait_all},
    {"cp.async.mbarrier.arrive", mbarrier_arrive_after_copies},
    {"mbarrier.init", mbarrier_init},
    {"mbarrier.inval", mbarrier_invalidate},
    {"mbarrier.arrive", mbarrier_arrive},
    {"mbarrier.expect_tx", mbarrier_expect},
    {"mbarrier.complete_tx", mbarrier_complete},
    {"mbarrier.test_wait", mbarrier_test},
    {"mbarrier.pending_count", mbarrier_pending_count},
    {"async.nothing", nothing},
    {nullptr, nullptr},
};

}  // namespace vgpu::VGPU_ISA
