// A warp while it runs: what handlers read and write.
//
// Lanes that diverge become fragments. The engine always runs the fragment of the deepest call and, among
// those, of the smallest pc; fragments that meet at a pc in the same frame become one again. That reconverges
// structured code without any analysis of the control flow. `exec` is what a handler obeys: the fragment's
// lanes whose guard holds.
#pragma once

#include <cstdint>
#include <cstring>

#include "core/inst.h"

#define VGPU_INLINE static inline __attribute__((always_inline))

namespace vgpu {

struct Block;
struct Fragments;

struct Warp {
  uint8_t* base[2] = {nullptr, nullptr};  // [0] register window of the running function, [1] constants
  uint32_t exec = 0;                      // lanes that execute this instruction
  uint32_t active = 0;                    // lanes of the running fragment, exec before the guard
  uint32_t live = 0;                      // lanes that have not exited
  uint32_t members = 0;                   // lanes that exist (the last warp of a block may be short)
  uint32_t pc = 0;
  uint32_t id = 0;          // within the block
  uint32_t local_base = 0;  // byte offset of the running function's .local within each thread's local memory
  Block* block = nullptr;
  const uint32_t* refs = nullptr;     // Program::refs.data()
  uint8_t* local_memory = nullptr;    // lane l: local_memory + l * block->local_stride
  uint32_t barrier_phase = 0;         // block barriers passed; grows with each, for the race checker
  uint32_t warp_phase = 0;            // bar.warp.sync passed
  uint32_t carry = 0;                 // CC.CF of each lane: add.cc, subc ...
  void* async_state = nullptr;        // cp.async copies in flight, owned by ops/async
  struct Fragments* lanes = nullptr;  // fragments and call frames, see core/fragments.h
};

// The array a Ref names, as lanes of T. Predicates: *lanes<uint32_t>(w, ref) is the mask.
template <class T>
VGPU_INLINE T* lanes(Warp& w, Ref ref) {
  return reinterpret_cast<T*>(w.base[ref & 1] + (ref & ~1u));
}

// The running lanes as a loop: FOR_LANES(w, i) { ... } visits set bits only.
#define VGPU_FOR_LANES(mask, i)                                                       \
  for (uint32_t vgpu_bits = (mask), i = 0;                                            \
       vgpu_bits != 0 && (i = static_cast<uint32_t>(__builtin_ctz(vgpu_bits)), true); \
       vgpu_bits &= vgpu_bits - 1)

// Ends the kernel as a driver would: the launch reports `error` (a cudaError_t: 700 illegal address, 716
// misaligned, 719 launch failure, 710 assert, 702 budget). The text becomes a report line with kernel, place,
// block and thread.
[[noreturn]] void fault(Warp& w, const Inst& inst, int error, uint32_t lane, const char* format, ...)
    __attribute__((format(printf, 5, 6)));

// A finding of a checker: reported once per instruction and kind, the kernel goes on, the process ends
// with 86.
enum class Check : uint8_t { Uninitialised = 1, Race = 2, Sync = 4 };
void finding(Warp& w, const Inst& inst, Check check, uint32_t lane, const char* format, ...)
    __attribute__((format(printf, 5, 6)));
uint32_t enabled_checks();  // bits of Check

// Collectives: true when every live lane of `member_mask` is in w.active at this pc (so the instruction may
// run now); otherwise the caller returns Status::Blocked and is run again once more lanes have arrived.
bool lanes_arrived(Warp& w, uint32_t member_mask);

}  // namespace vgpu
