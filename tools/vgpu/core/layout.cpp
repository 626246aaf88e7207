#include "core/layout.h"

#include <algorithm>
#include <cstring>
#include <unordered_set>
#include <vector>

#include "core/device_memory.h"
#include "core/special.h"

namespace vgpu {

namespace {

using ptx::Operand;
using ptx::Space;
using ptx::Variable;

uint32_t round_up(uint64_t value, uint64_t unit) {
  return static_cast<uint32_t>((value + unit - 1) / unit * unit);
}

bool in_device_memory(const Variable& v) {
  return (v.space == Space::Global || v.space == Space::Const) && !v.is_extern;
}

void for_each_operand(const std::vector<Operand>& operands, const auto& visit) {
  for (const Operand& operand : operands) {
    visit(operand);
    for_each_operand(operand.elements, visit);
  }
}

// What one function's instructions name.
struct Uses {
  std::unordered_set<const Variable*> shared;
  std::unordered_set<const FunctionCode*> functions;
  bool calls_anything = false;   // an indirect call
  bool reserved_shared = false;  // %reserved_smem_offset_*
};

Uses uses_of(const Program& program, const ptx::Function& fn) {
  Uses uses;
  for (const ptx::Instruction& in : fn.instructions) {
    bool names_function = false;
    for_each_operand(in.operands, [&](const Operand& operand) {
      if (operand.kind == Operand::Kind::Variable && operand.variable->space == Space::Shared)
        uses.shared.insert(operand.variable);
      if (operand.kind == Operand::Kind::Special && operand.name.substr(0, 14) == "%reserved_smem")
        uses.reserved_shared = true;
      if (operand.kind != Operand::Kind::Function) return;
      names_function = true;
      const auto found = program.function_by_name.find(operand.name);
      if (found != program.function_by_name.end()) uses.functions.insert(found->second);
    });
    uses.calls_anything |= in.opcode == "call" && !names_function;
  }
  return uses;
}

class SharedPlacement {
 public:
  SharedPlacement(Program& program, Layout& layout) : program_(program), layout_(layout) {}
  void run();

 private:
  Uses reachable_from(const FunctionCode& kernel) const;
  void place(const Variable& v, const std::vector<FunctionCode*>& kernels);

  Program& program_;
  Layout& layout_;
  std::unordered_map<const FunctionCode*, Uses> uses_;
};

Uses SharedPlacement::reachable_from(const FunctionCode& kernel) const {
  Uses all;
  std::vector<const FunctionCode*> open{&kernel};
  std::unordered_set<const FunctionCode*> seen{&kernel};
  const auto reach = [&](const FunctionCode* fn) {
    if (seen.insert(fn).second) open.push_back(fn);
  };
  while (!open.empty()) {
    const Uses& own = uses_.at(open.back());
    open.pop_back();
    all.shared.insert(own.shared.begin(), own.shared.end());
    all.reserved_shared |= own.reserved_shared;
    for (const FunctionCode* callee : own.functions) reach(callee);
    if (!own.calls_anything) continue;
    for (const auto& fn : program_.functions)
      if (!fn->function->entry) reach(fn.get());
  }
  return all;
}

void SharedPlacement::place(const Variable& v, const std::vector<FunctionCode*>& kernels) {
  uint32_t top = 0;
  for (const FunctionCode* kernel : kernels) top = std::max(top, kernel->shared_bytes);
  const uint32_t offset = round_up(top, v.alignment);
  layout_.offset[&v] = offset;
  for (FunctionCode* kernel : kernels) kernel->shared_bytes = offset + static_cast<uint32_t>(v.size);
}

void SharedPlacement::run() {
  for (const auto& fn : program_.functions) uses_[fn.get()] = uses_of(program_, *fn->function);

  std::unordered_map<const Variable*, std::vector<FunctionCode*>> kernels_of;
  for (const auto& fn : program_.functions) {
    if (!fn->function->entry) continue;
    const Uses reached = reachable_from(*fn);
    fn->shared_bytes = reached.reserved_shared ? kReservedShared : 0;
    for (const Variable* v : reached.shared) kernels_of[v].push_back(fn.get());
  }
  // Variables that several kernels see come first: a kernel's own fill what lies above them.
  std::vector<const Variable*> variables;
  const auto add = [&](const std::deque<Variable>& list) {
    for (const Variable& v : list)
      if (v.space == Space::Shared) variables.push_back(&v);
  };
  add(program_.module->variables);
  for (const auto& fn : program_.functions) add(fn->function->variables);
  std::stable_sort(variables.begin(), variables.end(), [&](const Variable* a, const Variable* b) {
    return kernels_of[a].size() > kernels_of[b].size();
  });
  for (const Variable* v : variables)
    if (!is_dynamic_shared(*v)) place(*v, kernels_of[v]);

  for (const auto& fn : program_.functions) fn->dynamic_shared_offset = fn->shared_bytes;
  for (const Variable* v : variables) {
    if (!is_dynamic_shared(*v)) continue;
    for (FunctionCode* kernel : kernels_of[v])
      kernel->dynamic_shared_offset = std::max(kernel->dynamic_shared_offset,
                                               round_up(kernel->shared_bytes, std::max(v->alignment, 16u)));
  }
}

void initialise(Program& program, const Layout& layout, const Variable& v) {
  const uint64_t address = program.address_of.at(&v);
  auto* bytes = reinterpret_cast<uint8_t*>(address);
  if (!v.initial.empty()) std::memcpy(bytes, v.initial.data(), v.initial.size());
  for (const ptx::Relocation& relocation : v.relocations) {
    uint64_t value = program.function_address(relocation.symbol);
    const auto named = program.variable_by_name.find(relocation.symbol);
    if (named != program.variable_by_name.end()) {
      const Variable* target = named->second;
      const auto placed = program.address_of.find(target);
      const auto offset = layout.offset.find(target);
      if (placed != program.address_of.end())
        value = placed->second;
      else if (offset != layout.offset.end())
        value = offset->second + (relocation.generic ? kSharedWindow : 0);
    }
    value = (value + static_cast<uint64_t>(relocation.addend)) >> relocation.shift;
    std::memcpy(bytes + relocation.offset, &value, std::min<size_t>(relocation.bytes, sizeof value));
  }
  DeviceMemory::instance().mark_written(address, std::max<uint64_t>(v.size, 1));
  if (v.space == Space::Const) DeviceMemory::instance().set_read_only(address);
}

}  // namespace

void place_variables(Program& program, const Layout& layout) {
  std::vector<const Variable*> variables;
  const auto add = [&](const std::deque<Variable>& list) {
    for (const Variable& v : list)
      if (in_device_memory(v)) variables.push_back(&v);
  };
  add(program.module->variables);
  for (const auto& fn : program.functions) add(fn->function->variables);
  for (const Variable* v : variables) {
    const uint64_t address = DeviceMemory::instance().allocate(std::max<uint64_t>(v->size, 1), v->alignment,
                                                               MemoryKind::Symbol, std::string(v->name));
    if (address == 0)
      throw Unsupported{"no memory for variable " + std::string(v->name) + " of " + std::to_string(v->size) +
                        " bytes"};
    program.address_of[v] = address;
  }
  for (const Variable* v : variables) initialise(program, layout, *v);
}

void place_shared(Program& program, Layout& layout) {
  SharedPlacement(program, layout).run();
}

void place_locals(FunctionCode& code, Layout& layout) {
  for (const Variable& v : code.function->variables) {
    if (v.space != Space::Local) continue;
    const uint32_t offset = round_up(code.local_bytes, v.alignment);
    layout.offset[&v] = offset;
    code.local_bytes = offset + static_cast<uint32_t>(v.size);
  }
  code.local_bytes = round_up(code.local_bytes, 16);
  if (!code.function->entry) return;
  for (const Variable& v : code.function->params) {
    const uint32_t offset = round_up(code.param_bytes, v.alignment);
    layout.offset[&v] = offset;
    code.param_offsets.push_back(offset);
    code.param_bytes = offset + static_cast<uint32_t>(v.size);
  }
}

}  // namespace vgpu
