// The lanes of a warp as fragments and call frames: the engine's view, behind Warp::lanes.
//
// A fragment is a set of lanes with one pc in one frame. A frame is one activation of a function: a register
// window, a piece of local memory, where to return to. Fragments that split inside a function share its frame
// (their lanes never collide); two activations never share a window, because lanes of differently sized
// registers overlap.
#pragma once

#include <cstdint>
#include <vector>

#include "core/block.h"
#include "core/program.h"
#include "core/warp.h"

namespace vgpu {

enum class Wait : uint8_t {
  None,
  Lanes,    // a collective waits for other lanes of its member mask
  Aligned,  // an aligned block barrier waits for the warp's other lanes to come along
  Barrier,  // arrived at a block barrier
};

struct Fragment {
  uint32_t pc = 0;
  uint32_t mask = 0;
  uint32_t frame = 0;
  Wait wait = Wait::None;
  uint8_t released = 0;  // 1: aligned wait over, arrive now; 2: the barrier is complete, go on
  bool held = false;     // kept back by warp splitting
  bool worked = false;  // did something other than leave while lanes of its warp waited at an aligned barrier
  uint32_t wait_mask = 0;  // Lanes: the member mask; Barrier: its number
  uint32_t stamp = 0;      // Lanes: Fragments::changes when it blocked
};

struct Frame {
  const FunctionCode* function = nullptr;
  uint32_t window = 0;  // byte offset into the warp's register stack
  uint32_t local_base = 0;
  uint32_t parent = 0;
  uint32_t return_pc = 0;
  Ref return_area = kNoRef;  // the caller's
  uint32_t return_stride = 0;
  uint32_t users = 0;  // fragments in it and frames called from it; 0: free
  uint32_t depth = 0;
};

struct Fragments {
  std::vector<Fragment> list;
  std::vector<Frame> frames;
  uint8_t* registers = nullptr;
  uint32_t register_bytes = 0;
  uint32_t local_bytes = 0;
  uint32_t current = 0;          // index into list of the running one
  uint32_t changes = 0;          // grows when lanes move, exit or merge: what a blocked collective waits for
  uint32_t aligned_waiters = 0;  // fragments with Wait::Aligned
  uint64_t executed = 0;         // instructions so far, against the budget
  bool yielded = false;          // an instruction has ended the turn
  uint32_t rotate = 0;  // not 0: the runnable fragment of that number, from 1, comes before the lowest
  uint64_t random = 0;  // next_random()'s, for the splitting schedule; 0: no splitting
};

// What a turn of a warp ended with.
enum class Turn : uint8_t { Exited, Waiting, OutOfFuel };

// Runs the warp until it has exited, waits, or has executed `fuel` instructions.
Turn run_warp(Warp& warp, uint64_t fuel);

// A new fragment of the running one's frame; the caller takes its lanes out of the running fragment.
void split_off(Warp& warp, uint32_t mask, uint32_t pc);
// Takes lanes out of the running fragment for good (exit).
void retire(Warp& warp, uint32_t mask);
// Calls `callee` for the running fragment's lanes; the arguments have areas and strides at refs[extra + 2
// ...].
void enter_function(Warp& warp, const Inst& inst, const FunctionCode& callee);
void leave_function(Warp& warp);
// Narrows the running fragment to w.exec; its other lanes go on at pc + 1.
void leave_others_behind(Warp& warp);
inline uint32_t first_lane(uint32_t mask) {
  return static_cast<uint32_t>(__builtin_ctz(mask));
}
inline Fragment& running(Warp& warp) {
  return warp.lanes->list[warp.lanes->current];
}

}  // namespace vgpu
