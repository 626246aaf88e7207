// What the float rules tell the handlers of min and max through Inst::flags, beside .ftz and .NaN.
#pragma once

#include "core/inst.h"

namespace vgpu::extreme {

inline constexpr uint16_t kXorSign = flag::kFree;  // .xorsign.abs: of magnitudes, with both signs' product
inline constexpr uint16_t kAbsolute = flag::kFree << 1;  // f32: magnitudes; set with and without .xorsign
inline constexpr uint16_t kThreeOperands = flag::kFree << 2;  // f32: d, a, b, c

}  // namespace vgpu::extreme
