// mbarrier objects: 64-bit barriers in shared memory (ops/mbarrier.cpp).
#pragma once

#include <cstdint>

#include "core/block.h"
#include "core/warp.h"

namespace vgpu {

// Inst::count of the mbarrier instructions; base, offset and flags of the address as ops/memory_slow.h says,
// the second operand (count, bytes, state or parity) in Inst::b, kNoRef for a count of 1.
namespace mbarrier_flag {
inline constexpr uint8_t kExpect = 1;  // arrive.expect_tx: Inst::b is bytes, the count 1
inline constexpr uint8_t kDrop = 2;    // arrive_drop
inline constexpr uint8_t kNoComplete = 4;
inline constexpr uint8_t kParity = 8;        // test_wait.parity
inline constexpr uint8_t kNoIncrement = 16;  // cp.async.mbarrier.arrive.noinc
}  // namespace mbarrier_flag

Status mbarrier_init(Warp& w, const Inst& inst);
Status mbarrier_invalidate(Warp& w, const Inst& inst);
Status mbarrier_arrive(Warp& w, const Inst& inst);
Status mbarrier_expect(Warp& w, const Inst& inst);
Status mbarrier_complete(Warp& w, const Inst& inst);
Status mbarrier_test(Warp& w, const Inst& inst);
Status mbarrier_pending_count(Warp& w, const Inst& inst);
// cp.async.mbarrier.arrive: the arrival happens when the thread's copies so far have landed.
Status mbarrier_arrive_after_copies(Warp& w, const Inst& inst);

// Performs the arrivals that wait for copies of this warp, which has exited.
void perform_arrivals_of(Warp& w);
void forget_arrivals(Block& block);

}  // namespace vgpu
