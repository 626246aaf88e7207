// Where the variables of a module lie: device memory, shared and local memory, argument buffers, call areas.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "core/program.h"

namespace vgpu {

struct Layout {
  // Offsets within their space of shared and local variables, and of kernel parameters in the argument
  // buffer.
  std::unordered_map<const ptx::Variable*, uint32_t> offset;
};

// Global and const variables into device memory, initialised. Throws Unsupported when the memory does not
// suffice.
void place_variables(Program& program, const Layout& layout);

// Shared variables of every function. A variable lies at one offset in all kernels that can reach it, because
// device functions are lowered once; variables that no kernel has in common may overlap. Sets shared_bytes
// and dynamic_shared_offset of the kernels.
void place_shared(Program& program, Layout& layout);

// Local variables of one function, and the parameters where it is a kernel.
void place_locals(FunctionCode& code, Layout& layout);

// Dynamic shared memory: its place depends on the kernel that runs.
inline bool is_dynamic_shared(const ptx::Variable& v) {
  return v.space == ptx::Space::Shared && v.size == 0;
}

}  // namespace vgpu
