// Lowering of everything that names memory: loads, stores, atomics, addresses and their spaces, fences, cache
// hints.
//
// Cache operators, eviction hints and scopes have no effect on values here and are dropped; what orders
// memory makes the access "strong" (memory_flag::kStrong) for the race checker.
#include <string>

#include "core/device_memory.h"
#include "core/lowering.h"
#include "core/observe.h"
#include "ops/memory_slow.h"
#include "ops/rule_support.h"

namespace vgpu {
namespace {

using ptx::Instruction;
using ptx::Operand;
using ptx::Space;
using ptx::Type;
using rule::bits_type;
using rule::is_signed;

Space space_modifier(const Instruction& instruction) {
  for (std::string_view m : instruction.modifiers) {
    if (m == "global") return Space::Global;
    if (m.substr(0, 6) == "shared") return Space::Shared;
    if (m == "local") return Space::Local;
    if (m == "const") return Space::Const;
    if (m.substr(0, 5) == "param") return Space::Param;
  }
  return Space::Generic;
}

bool strong(const Instruction& instruction) {
  for (const char* word : {"volatile", "relaxed", "acquire", "release", "acq_rel", "mmio"})
    if (instruction.has(word)) return true;
  return false;
}

uint32_t vector_width(const Instruction& instruction) {
  for (uint32_t n : {2u, 4u, 8u})
    if (instruction.has("v" + std::to_string(n))) return n;
  return 1;
}

std::vector<const Operand*> elements_of(const Operand& operand) {
  if (operand.kind != Operand::Kind::Vector) return {&operand};
  std::vector<const Operand*> list;
  for (const Operand& element : operand.elements) list.push_back(&element);
  return list;
}

// Bytes a lane of the registers among the elements; `otherwise` where there is none.
uint32_t register_bytes(Lowering& lowering, const Instruction& source,
                        const std::vector<const Operand*>& elements, uint32_t otherwise) {
  uint32_t bytes = 0;
  for (const Operand* element : elements) {
    if (element->kind != Operand::Kind::Register) continue;
    const uint32_t size = lowering.register_size(*element);
    if (bytes != 0 && size != bytes)
      lowering.unsupported(source, "registers of different sizes in one vector");
    bytes = size;
  }
  return bytes == 0 ? otherwise : bytes;
}

// The address of an access: what memory_slow.h expects in an instruction, or a device function's parameter.
struct Target {
  Lowering::Address address;
  uint16_t flags = 0;
  bool area = false;
};

Target target_of(Lowering& lowering, const Instruction& source, const Operand& operand, uint32_t bytes) {
  Target target;
  target.address = lowering.address(operand);
  const Lowering::Address& address = target.address;
  target.area = address.param != nullptr;
  Space space = space_modifier(source);
  if (space == Space::Generic && address.space != Space::None) space = address.space;
  target.flags = static_cast<uint16_t>(static_cast<uint16_t>(space) << memory_flag::kSpaceShift);
  if (address.is32) target.flags |= memory_flag::kIs32;
  if (strong(source)) target.flags |= memory_flag::kStrong;
  if (address.base != kNoRef) return target;
  if (space == Space::Local) target.flags |= memory_flag::kFrame;
  const uint64_t offset = static_cast<uint64_t>(address.offset), end = lowering.function().param_bytes;
  if (space == Space::Param && !target.area && offset % bytes == 0 && offset < end && end - offset >= bytes)
    target.flags |= memory_flag::kChecked;
  return target;
}

Inst& emit_access(Lowering& lowering, const Instruction& source, const std::string& name,
                  const Target& target) {
  Inst& inst = lowering.emit(source, lowering.handler(name));
  inst.a = target.address.base;
  inst.imm = target.address.offset;
  inst.flags = target.flags;
  if (target.area) {
    inst.a = target.address.param->area;
    inst.b = target.address.param->stride;
  }
  return inst;
}

void set_registers(Lowering& lowering, Inst& inst, const std::vector<Ref>& list) {
  inst.count = static_cast<uint8_t>(list.size());
  if (list.size() == 1)
    inst.d = list[0];
  else
    inst.extra = lowering.refs(list);
}

std::string shape(uint32_t memory_bytes, uint32_t bytes, uint32_t width) {
  return std::to_string(memory_bytes) + "." + std::to_string(bytes) + ".v" + std::to_string(width);
}

void lower_load(Lowering& lowering, const Instruction& source) {
  const Type type = last_type(source);
  const uint32_t size = ptx::size_of(type);
  const auto elements = elements_of(source.operands[0]);
  const uint32_t width = vector_width(source);
  if (size == 0 || elements.size() != width) lowering.unsupported(source, "this vector of this type");
  const uint32_t bytes = register_bytes(lowering, source, elements, size);
  const Target target = target_of(lowering, source, source.operands[1], size * width);
  std::vector<Ref> list;
  for (const Operand* element : elements) list.push_back(lowering.write(*element, bits_type(bytes)));
  const std::string kind = is_signed(type) && bytes > size ? "s" : "u";
  const std::string name = (target.area ? "ldarea." : "ld.") + kind + shape(size, bytes, width);
  set_registers(lowering, emit_access(lowering, source, name, target), list);
}

void lower_store(Lowering& lowering, const Instruction& source) {
  const Type type = last_type(source);
  const uint32_t size = ptx::size_of(type);
  const auto elements = elements_of(source.operands[1]);
  const uint32_t width = vector_width(source);
  if (size == 0 || elements.size() != width) lowering.unsupported(source, "this vector of this type");
  const uint32_t bytes = register_bytes(lowering, source, elements, size);
  const Target target = target_of(lowering, source, source.operands[0], size * width);
  std::vector<Ref> list;
  for (const Operand* element : elements)
    list.push_back(lowering.read(*element, bytes == size ? type : bits_type(bytes)));
  const std::string name = (target.area ? "starea." : "st.") + shape(size, bytes, width);
  set_registers(lowering, emit_access(lowering, source, name, target), list);
}

// Types that an operation treats alike share a handler.
std::string atomic_class(const std::string& operation, Type type) {
  const bool ordered = operation == "min" || operation == "max";
  switch (type) {
    case Type::F16:
      return "f16";
    case Type::F16x2:
      return "f16x2";
    case Type::BF16:
      return "bf16";
    case Type::BF16x2:
      return "bf16x2";
    case Type::F32:
      return operation == "add" ? "f32" : "b32";
    case Type::F64:
      return operation == "add" ? "f64" : "b64";
    default:
      break;
  }
  const char* letter = !ordered ? "b" : is_signed(type) ? "s" : "u";
  return letter + std::to_string(8 * ptx::size_of(type));
}

// atom d, [a], b {, c}; red [a], b. A cache policy may follow.
void lower_atomic(Lowering& lowering, const Instruction& source, bool has_result) {
  std::string operation;
  for (const char* word : {"and", "or", "xor", "exch", "cas", "add", "inc", "dec", "min", "max"})
    if (source.has(word)) operation = word;
  if (operation.empty() || source.has("async")) lowering.unsupported(source, "this reduction");
  const Type type = last_type(source);
  const uint32_t width = vector_width(source), size = ptx::size_of(type);
  const size_t first = has_result ? 1 : 0;
  Target target = target_of(lowering, source, source.operands[first], size * width);
  if (target.area) lowering.unsupported(source, "an atomic operation on a parameter");
  target.flags |= memory_flag::kStrong;
  const bool wanted = has_result && source.operands[0].kind != Operand::Kind::Sink;
  const std::string name =
      "atom." + operation + "." + atomic_class(operation, type) + ".v" + std::to_string(width);
  std::vector<Ref> list;
  for (const Operand* element : elements_of(source.operands[first + 1]))
    list.push_back(lowering.read(*element, type));
  const Ref c = operation == "cas" ? lowering.read(source.operands[first + 2], type) : kNoRef;
  Ref d = kNoRef;
  if (wanted) {
    for (const Operand* element : elements_of(source.operands[0]))
      list.push_back(lowering.write(*element, type));
    d = list[width];
  }
  const uint32_t extra = width > 1 ? lowering.refs(list) : 0;
  Inst& inst = emit_access(lowering, source, name, target);
  inst.b = list[0];
  inst.c = c;
  inst.d = d;
  inst.extra = extra;
  inst.count = static_cast<uint8_t>(width);
}

void lower_atom(Lowering& lowering, const Instruction& source) {
  lower_atomic(lowering, source, true);
}
void lower_red(Lowering& lowering, const Instruction& source) {
  lower_atomic(lowering, source, false);
}

// d = a + imm, for addresses that move between a window and the generic space.
Status add_window(Warp& w, const Inst& inst) {
  uint64_t* d = lanes<uint64_t>(w, inst.d);
  const uint64_t* a = lanes<uint64_t>(w, inst.a);
  const uint64_t distance = static_cast<uint64_t>(inst.imm);
  if (w.exec == 0xFFFFFFFFu) {
    for (uint32_t i = 0; i < kLanes; ++i) d[i] = a[i] + distance;
  } else {
    VGPU_FOR_LANES(w.exec, i) d[i] = a[i] + distance;
  }
  return Status::Next;
}

// The same for kernel parameters, whose window starts at the launch's argument buffer.
Status add_parameters(Warp& w, const Inst& inst) {
  uint64_t* d = lanes<uint64_t>(w, inst.d);
  const uint64_t* a = lanes<uint64_t>(w, inst.a);
  const uint64_t begin = reinterpret_cast<uint64_t>(w.block->launch->arguments);
  VGPU_FOR_LANES(w.exec, i) d[i] = inst.count != 0 ? a[i] - begin : a[i] + begin;
  return Status::Next;
}

void lower_cvta(Lowering& lowering, const Instruction& source) {
  if (ptx::size_of(last_type(source)) != 8) lowering.unsupported(source, "32-bit generic addresses");
  const Space space = space_modifier(source);
  const bool to = source.has("to");
  const Ref a = lowering.read(source.operands[1], Type::U64);
  const Ref d = lowering.write(source.operands[0], Type::U64);
  Inst& inst = lowering.emit(source, space == Space::Param ? add_parameters : add_window);
  inst.d = d;
  inst.a = a;
  inst.count = to ? 1 : 0;
  const int64_t window = space == Space::Shared  ? static_cast<int64_t>(kSharedWindow)
                         : space == Space::Local ? static_cast<int64_t>(kLocalWindow)
                                                 : 0;
  inst.imm = to ? -window : window;
}

bool is_in_space(const Warp& w, Space space, uint64_t address) {
  const bool shared = address - kSharedWindow < kWindowSize, local = address - kLocalWindow < kWindowSize;
  if (space == Space::Shared || space == Space::Local) return space == Space::Shared ? shared : local;
  if (shared || local) return false;
  const Allocation* allocation = DeviceMemory::instance().find(address);
  const bool constant = allocation != nullptr && allocation->read_only;
  if (space == Space::Const) return constant;
  if (space == Space::Global) return !constant;
  const uint64_t begin = reinterpret_cast<uint64_t>(w.block->launch->arguments);
  return allocation != nullptr && address >= begin && address < allocation->end && allocation->begin <= begin;
}

Status is_space(Warp& w, const Inst& inst) {
  const uint64_t* a = lanes<uint64_t>(w, inst.a);
  uint32_t mask = 0;
  VGPU_FOR_LANES(w.exec, i) {
    if (is_in_space(w, space_of(inst), a[i])) mask |= 1u << i;
  }
  uint32_t* d = lanes<uint32_t>(w, inst.d);
  *d = (*d & ~w.exec) | mask;
  return Status::Next;
}

void lower_isspacep(Lowering& lowering, const Instruction& source) {
  const Ref a = lowering.read(source.operands[1], Type::U64);
  const Ref d = lowering.write(source.operands[0], Type::Pred);
  Inst& inst = lowering.emit(source, is_space);
  inst.d = d;
  inst.a = a;
  inst.flags =
      static_cast<uint16_t>(static_cast<uint16_t>(space_modifier(source)) << memory_flag::kSpaceShift);
}

Status do_nothing(Warp&, const Inst&) {
  return Status::Next;
}

void lower_hint(Lowering& lowering, const Instruction& source) {
  lowering.emit(source, do_nothing);
}

// A cache policy is an opaque number that nobody reads.
void lower_createpolicy(Lowering& lowering, const Instruction& source) {
  const Ref a = lowering.constant(0, 8);
  const Ref d = lowering.write(source.operands[0], Type::B64);
  Inst& inst = lowering.emit(source, add_window);
  inst.d = d;
  inst.a = a;
}

Status fence(Warp& w, const Inst& inst) {
  if (w.exec == 0) return Status::Next;
  const bool device_scope = inst.count != 0;
  if (device_scope) __atomic_thread_fence(__ATOMIC_SEQ_CST);
  if (Observer* observer = w.block->launch->observer) observer->fence(w, device_scope);
  return Status::Next;
}

void lower_fence(Lowering& lowering, const Instruction& source) {
  const bool wide = source.has("gl") || source.has("sys") || source.has("gpu");
  lowering.emit(source, fence).count = wide ? 1 : 0;
}

}  // namespace

void add_memory_rules(RuleMap& rules) {
  rules["ld"] = rules["ldu"] = lower_load;
  rules["st"] = lower_store;
  rules["atom"] = lower_atom;
  rules["red"] = lower_red;
  rules["cvta"] = lower_cvta;
  rules["isspacep"] = lower_isspacep;
  for (const char* hint : {"prefetch", "prefetchu", "applypriority", "discard"}) rules[hint] = lower_hint;
  rules["createpolicy"] = lower_createpolicy;
  rules["membar"] = rules["fence"] = lower_fence;
}

}  // namespace vgpu
