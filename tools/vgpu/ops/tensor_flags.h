// Inst::flags of mma and wmma.mma, set by the rules and read by the handlers.
#pragma once

#include "core/inst.h"

namespace vgpu::tensor_flag {

inline constexpr uint16_t kHalfC = flag::kFree;         // the accumulators that come in are f16
inline constexpr uint16_t kHalfD = flag::kFree << 1;    // the result is f16
inline constexpr uint16_t kSignedA = flag::kFree << 2;  // s8, s4; for fp8: e5m2
inline constexpr uint16_t kSignedB = flag::kFree << 3;
inline constexpr uint16_t kXor = flag::kFree << 4;  // b1 with .xor.popc

}  // namespace vgpu::tensor_flag
