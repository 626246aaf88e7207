// One lowered instruction and the contract of its handler.
//
// Registers live in a per-warp file as 32-lane arrays (structure of arrays): a value of `size` bytes per lane
// takes 32 * size bytes, a predicate one uint32_t with a bit a lane. A Ref names such an array: even values
// are byte offsets into the register window of the running function, odd ones (value - 1) byte offsets into
// the program's constants, where an immediate stands 32 times so that handlers need no special case.
#pragma once

#include <cstdint>

namespace vgpu {

struct Warp;
struct Inst;

using Ref = uint32_t;
inline constexpr Ref kNoRef = 0xFFFFFFFFu;
inline constexpr uint32_t kLanes = 32;

enum class Status : uint8_t {
  Next,      // go on with pc + 1
  Branched,  // the handler has set warp.pc; the same lanes go on in the same frame
  Jumped,    // the handler has set warp.pc and split, moved or ended fragments: look again
  Yield,     // as Next, and the warp's turn ends: it polls for what others must do (nanosleep, a failed
             // try_wait)
  Blocked,   // the fragment waits at this pc (barrier, absent lanes); it runs the same instruction again when
             // woken
};

using Handler = Status (*)(Warp&, const Inst&);

// Inst::flags for arithmetic; a rule that has to say more uses the upper bits as it likes.
namespace flag {
inline constexpr uint16_t kRoundMask = 7;  // values of Round
inline constexpr uint16_t kFtz = 8;        // subnormal inputs and results become zero of the same sign
inline constexpr uint16_t kSat = 16;       // .sat, or .satfinite in conversions
inline constexpr uint16_t kRelu = 32;
inline constexpr uint16_t kNan = 64;    // .NaN
inline constexpr uint16_t kFree = 128;  // first bit free for a rule's own use
}  // namespace flag
enum class Round : uint8_t { NearestEven, Zero, Down, Up, NearestAway };

struct Inst {
  Handler run = nullptr;
  Ref d = kNoRef, a = kNoRef, b = kNoRef, c = kNoRef;
  Ref guard = kNoRef;  // predicate; the engine has applied it to warp.exec before the handler runs
  uint16_t flags = 0;
  bool guard_negated = false;
  uint8_t count = 0;    // vector width, number of refs at `extra`, ... as the rule likes
  int64_t imm = 0;      // address offset, branch target (a pc), table index ...
  uint32_t extra = 0;   // index into Program::refs
  uint32_t source = 0;  // index into Program::sources
};

}  // namespace vgpu
