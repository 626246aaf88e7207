// VGPU_TRACE=1 prints every instruction a warp executes (stderr lines "vgpu: trace: ..."): for small kernels.
#pragma once

#include "core/warp.h"

namespace vgpu {

bool trace_enabled();
void trace(const Warp& warp, const Inst& inst);

}  // namespace vgpu
