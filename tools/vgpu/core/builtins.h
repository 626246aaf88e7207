// Device functions that no PTX defines: vprintf, malloc, free, __assertfail.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/inst.h"

namespace vgpu {

// The handler of a built-in device function, nullptr for none. It runs for w.exec and finds its arguments
// through w.refs[inst.extra ...]: area and stride of the return value (kNoRef, 0 for none), then area and
// stride of each of the inst.count arguments. An area is lane-major: lanes<uint8_t>(w, area) + lane * stride.
Handler find_builtin(std::string_view name);

// Bytes that malloc in kernels may have outstanding (cudaLimitMallocHeapSize); 8 MiB at first.
void set_heap_limit(uint64_t bytes);
uint64_t heap_limit_bytes();

}  // namespace vgpu
