// Address operands of instructions outside the ld/st family (matrices, asynchronous copies), for their rules:
// base and offset of `[...]` with the flags that ops/memory_slow.h describes.
#pragma once

#include "core/lowering.h"
#include "ops/memory_slow.h"

namespace vgpu {

struct AddressOperand {
  Ref base = kNoRef;
  int64_t offset = 0;
  uint16_t flags = 0;
};

// The state space an instruction names, Generic where it names none. A block is alone in its cluster, so that
// .shared::cluster is .shared::cta.
inline ptx::Space named_space(const ptx::Instruction& in) {
  for (std::string_view m : in.modifiers) {
    if (m == "shared" || m == "shared::cta" || m == "shared::cluster") return ptx::Space::Shared;
    if (m == "global") return ptx::Space::Global;
  }
  return ptx::Space::Generic;
}

inline AddressOperand address_operand(Lowering& l, const ptx::Operand& operand, ptx::Space space) {
  const Lowering::Address from = l.address(operand);
  AddressOperand to;
  to.base = from.base;
  to.offset = from.offset;
  to.flags = static_cast<uint16_t>(static_cast<uint16_t>(space) << memory_flag::kSpaceShift);
  if (from.is32) to.flags |= memory_flag::kIs32;
  return to;
}

}  // namespace vgpu
