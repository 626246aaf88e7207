// What the rules of carry chains, setp and cvt tell their handlers in Inst::flags, beside rounding, ftz and
// relu.
#pragma once

#include "core/inst.h"

namespace vgpu {

namespace carry {
inline constexpr uint16_t kRead = flag::kFree, kWrite = flag::kFree << 1;  // CC.CF is added in, is set
}

// setp. Inst::imm is the Ref of the second predicate, or kNoRef.
namespace compare {
inline constexpr uint16_t kInvert = flag::kFree;  // the outcome of the comparison, before it is combined
inline constexpr uint16_t kAnd = flag::kFree << 1, kOr = flag::kFree << 2, kXor = kAnd | kOr;  // with Inst::c
inline constexpr uint16_t kCombine = kXor;
}  // namespace compare

namespace convert {
inline constexpr uint16_t kFinite =
    flag::kFree;  // .satfinite: what is too large becomes the largest finite value
}

}  // namespace vgpu
