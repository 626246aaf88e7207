// Special registers and the few handlers that operands, not instructions, bring into the code.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/inst.h"

namespace vgpu {

// Shared memory kept free for cooperative groups (%reserved_smem_offset_*), at the start of a block's shared
// memory in kernels that read one of those registers.
inline constexpr uint32_t kReservedShared = 1024;

// Multiprocessors that %smid and %nsmid speak of.
inline constexpr uint32_t kMultiprocessors = 16;

struct SpecialRegister {
  Handler run = nullptr;  // writes Inst::count (2, 4 or 8) bytes a lane to d
  uint32_t bytes = 4;     // its own size
};
std::optional<SpecialRegister> find_special(std::string_view name);  // "%tid.x", "%envreg2" ...

// d = the low Inst::imm bytes of each element of a, which has Inst::count bytes.
Status run_narrow(Warp& w, const Inst& inst);
// Predicates: d = a, d = !a.
Status run_copy_mask(Warp& w, const Inst& inst);
Status run_invert_mask(Warp& w, const Inst& inst);
// d = Inst::imm + where the running function's .local starts; Inst::count bytes a lane.
Status run_local_address(Warp& w, const Inst& inst);
// d = Inst::imm + where the running kernel's dynamic shared memory starts; Inst::count bytes a lane.
Status run_dynamic_shared_address(Warp& w, const Inst& inst);
// An instruction without a rule: faults with Program::messages[Inst::imm].
Status run_unsupported(Warp& w, const Inst& inst);

}  // namespace vgpu
