// How much register stack and local memory a kernel's calls need.
#pragma once

#include <cstdint>

#include "core/program.h"

namespace vgpu {

struct StackSize {
  uint64_t register_bytes = 0;  // a warp
  uint64_t local_bytes = 0;     // a thread
};

// Exact for a kernel whose calls form a tree; recursion and calls through pointers get `stack_limit()` a
// thread and registers for deep recursion.
StackSize stack_size(const Program& program, const FunctionCode& kernel);

uint32_t stack_limit();  // cudaLimitStackSize, at least 64 KiB here: a page that is not touched costs nothing
void set_stack_limit(uint32_t bytes);

}  // namespace vgpu
