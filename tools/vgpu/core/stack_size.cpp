#include "core/stack_size.h"

#include <algorithm>
#include <atomic>
#include <unordered_map>
#include <unordered_set>

namespace vgpu {
namespace {

constexpr uint32_t kSmallestLimit = 64 << 10;
constexpr uint64_t kDeepRegisters = 8 << 20;
std::atomic<uint32_t> limit{kSmallestLimit};

struct Walk {
  const Program& program;
  bool unbounded = false;
  std::unordered_set<const FunctionCode*> open;
  std::unordered_map<const FunctionCode*, StackSize> known;

  StackSize need(const FunctionCode& function) {
    if (auto found = known.find(&function); found != known.end()) return found->second;
    if (!open.insert(&function).second) {
      unbounded = true;
      return {};
    }
    StackSize deepest;
    for (const ptx::Instruction& instruction : function.function->instructions) {
      if (instruction.opcode != "call") continue;
      const FunctionCode* callee = target(instruction);
      if (callee == nullptr) continue;
      const StackSize below = need(*callee);
      deepest.register_bytes = std::max(deepest.register_bytes, below.register_bytes);
      deepest.local_bytes = std::max(deepest.local_bytes, below.local_bytes);
    }
    open.erase(&function);
    deepest.register_bytes += function.window_bytes;
    deepest.local_bytes += (function.local_bytes + 15) & ~15u;
    return known[&function] = deepest;
  }

  // The function that is called directly; nullptr for a built-in or an indirect call.
  const FunctionCode* target(const ptx::Instruction& call) {
    const size_t at = call.operands.at(0).kind == ptx::Operand::Kind::List ? 1 : 0;
    const ptx::Operand& operand = call.operands.at(at);
    if (operand.kind != ptx::Operand::Kind::Function) {
      unbounded = true;
      return nullptr;
    }
    const auto found = program.function_by_name.find(operand.name);
    return found != program.function_by_name.end() && found->second->function->defined ? found->second
                                                                                       : nullptr;
  }
};

}  // namespace

StackSize stack_size(const Program& program, const FunctionCode& kernel) {
  Walk walk{program};
  StackSize size = walk.need(kernel);
  if (!walk.unbounded) {
    // Lanes that call at different times need windows of their own: room for every lane's activation is rare;
    // a few are not.
    if (size.register_bytes > kernel.window_bytes) {
      size.register_bytes += 32 * (size.register_bytes - kernel.window_bytes);
      size.local_bytes += 32 * (size.local_bytes - kernel.local_bytes);
    }
    return size;
  }
  return {size.register_bytes + kDeepRegisters, std::max<uint64_t>(size.local_bytes, stack_limit())};
}

uint32_t stack_limit() {
  return limit;
}

void set_stack_limit(uint32_t bytes) {
  limit = std::max(bytes, kSmallestLimit);
}

}  // namespace vgpu
