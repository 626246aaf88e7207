// Operands into Refs: registers to their slots, literals to the constant pool, names to addresses.
#include <algorithm>
#include <cstring>

#include "core/lowering_impl.h"
#include "core/special.h"
#include "ops/handler_table.h"

namespace vgpu {

namespace {

using ptx::Operand;
using ptx::Space;
using ptx::Type;
using Kind = ptx::Operand::Kind;

// A literal's bits in a value of the type. A decimal fraction, which is a double to the parser, becomes what
// the instruction works on.
uint64_t literal_bits(const Operand& operand, Type type) {
  double number = 0;
  if (operand.kind == Kind::Float64) std::memcpy(&number, &operand.bits, sizeof number);
  if (operand.kind == Kind::Float64 && ptx::size_of(type) == 4) {
    const auto single = static_cast<float>(number);
    uint32_t bits = 0;
    std::memcpy(&bits, &single, sizeof single);
    return bits;
  }
  if (operand.kind == Kind::Float32 && type == Type::F64) {
    float single = 0;
    const auto low = static_cast<uint32_t>(operand.bits);
    std::memcpy(&single, &low, sizeof single);
    number = static_cast<double>(single);
    uint64_t bits = 0;
    std::memcpy(&bits, &number, sizeof number);
    return bits;
  }
  return operand.bits;
}

}  // namespace

Ref ConstantPool::append(const void* element, uint32_t bytes, uint32_t count) {
  const size_t offset = program_.constants.size();
  program_.constants.resize((offset + size_t{bytes} * count + 63) / 64 * 64);
  for (uint32_t i = 0; i < count; ++i)
    std::memcpy(program_.constants.data() + offset + i * bytes, element, std::min<uint32_t>(bytes, 8));
  return static_cast<Ref>(offset) + 1;
}

Ref ConstantPool::value(uint64_t bits, uint32_t bytes_per_lane) {
  if (bytes_per_lane < 8) bits &= (uint64_t{1} << (bytes_per_lane * 8)) - 1;
  const auto [entry, fresh] = known_.try_emplace({bits, bytes_per_lane}, kNoRef);
  if (fresh) entry->second = append(&bits, bytes_per_lane, kLanes);
  return entry->second;
}

Ref ConstantPool::mask(uint32_t mask) {
  const auto [entry, fresh] = known_.try_emplace({mask, 0}, kNoRef);
  if (fresh) entry->second = append(&mask, sizeof mask, 1);
  return entry->second;
}

Ref FunctionLowering::constant(uint64_t bits, uint32_t bytes_per_lane) {
  return constants_.value(bits, bytes_per_lane);
}

Ref FunctionLowering::predicate_constant(uint32_t mask) {
  return constants_.mask(mask);
}

Ref FunctionLowering::temporary(uint32_t bytes_per_lane) {
  TemporaryClass& temporaries = temporaries_[bytes_per_lane];
  if (temporaries.used == temporaries.made.size()) {
    temporaries.made.push_back(code_.window_bytes);
    code_.window_bytes += (slot_bytes(bytes_per_lane) + 63) / 64 * 64;
  }
  return temporaries.made[temporaries.used++];
}

Ref FunctionLowering::slot_of(const Operand& operand) const {
  return registers_.slot[static_cast<size_t>(operand.index)];
}

uint32_t FunctionLowering::register_size(const Operand& operand) const {
  if (operand.kind != Kind::Register) return 0;
  return ptx::size_of(fn_.registers[static_cast<size_t>(operand.index)].type);
}

Ref FunctionLowering::read(const Operand& operand, Type type) {
  switch (operand.kind) {
    case Kind::Register:
      return read_register(operand, type);
    case Kind::Integer:
    case Kind::Float32:
    case Kind::Float64:
      return read_literal(operand, type);
    case Kind::Special:
      return read_special(operand, type);
    case Kind::Variable:
      return read_variable(operand, type);
    case Kind::Function:
      if (program_.function_by_name.count(operand.name) == 0)
        unsupported("function " + std::string(operand.name) + " has no body");
      return constant(program_.function_address(operand.name), ptx::size_of(type));
    default:
      unsupported("an operand of this kind");
  }
}

Ref FunctionLowering::read_register(const Operand& operand, Type type) {
  const Type declared = fn_.registers[static_cast<size_t>(operand.index)].type;
  if ((declared == Type::Pred) != (type == Type::Pred))
    unsupported("predicate and value register mixed up: " + std::string(operand.name));
  if (ptx::size_of(declared) < ptx::size_of(type))
    unsupported("register " + std::string(operand.name) + " is too small for ." + type_name(type));
  if (!operand.negated) return slot_of(operand);
  if (type != Type::Pred) unsupported("a minus sign in front of a register");
  const Ref d = temporary(0);
  Inst& inst = emit(*current_, run_invert_mask);
  inst.d = d;
  inst.a = slot_of(operand);
  return d;
}

Ref FunctionLowering::read_literal(const Operand& operand, Type type) {
  if (type == Type::Pred) return predicate_constant((operand.bits != 0) != operand.negated ? 0xFFFFFFFFu : 0);
  const uint32_t bytes = ptx::size_of(type);
  if (bytes == 0) unsupported("a number where its size is unknown");
  if (operand.kind != Kind::Integer && bytes < 4) unsupported("a floating-point literal of 16 bits");
  return constant(literal_bits(operand, type), bytes);
}

// A handler's result for this read alone: special registers and addresses that depend on the running frame or
// kernel.
Ref FunctionLowering::computed(Handler run, uint32_t bytes, int64_t imm) {
  const Ref d = temporary(bytes);
  Inst& inst = emit(*current_, run);
  inst.d = d;
  inst.count = static_cast<uint8_t>(bytes);
  inst.imm = imm;
  return d;
}

Ref FunctionLowering::read_special(const Operand& operand, Type type) {
  const uint32_t bytes = ptx::size_of(type);
  if (operand.name == "WARP_SZ") return constant(kLanes, bytes);
  const auto special = find_special(operand.name);
  if (!special) unsupported("special register " + std::string(operand.name));
  if (bytes != 2 && bytes != 4 && bytes != 8)
    unsupported("special register " + std::string(operand.name) + " as ." + type_name(type));
  return computed(special->run, bytes, 0);
}

Ref FunctionLowering::read_variable(const Operand& operand, Type type) {
  const uint32_t bytes = ptx::size_of(type);
  if (bytes != 4 && bytes != 8) unsupported("an address as ." + std::string(type_name(type)));
  Operand whole;
  whole.kind = Kind::Address;
  whole.elements.push_back(operand);
  const Address place = address(whole);
  if (place.param != nullptr) unsupported("the address of a device function's parameter");
  if (place.space == Space::Local) return computed(run_local_address, bytes, place.offset);
  if (place.base == kNoRef) return constant(static_cast<uint64_t>(place.offset), bytes);
  return computed(run_dynamic_shared_address, bytes, place.offset);
}

Ref FunctionLowering::write(const Operand& operand, Type type) {
  if (operand.kind == Kind::Sink) return temporary(ptx::size_of(type));
  if (operand.kind != Kind::Register) unsupported("a destination that is no register");
  Operand plain = operand;
  plain.negated = false;
  return read_register(plain, type);
}

Ref FunctionLowering::narrow(const Operand& operand, Type type) {
  const uint32_t bytes = ptx::size_of(type);
  if (operand.kind != Kind::Register || register_size(operand) <= bytes || bytes == 0)
    return read(operand, type);
  const Ref from = read(operand, type);
  const uint32_t step = register_size(operand);
  const Ref d = temporary(bytes);
  Inst& inst = emit(*current_, run_narrow);
  inst.d = d;
  inst.a = from;
  inst.imm = bytes;
  inst.count = static_cast<uint8_t>(step);
  return d;
}

Lowering::Address FunctionLowering::address(const Operand& operand) {
  if (operand.kind != Kind::Address) unsupported("an operand that is no address");
  const Operand& base = operand.elements[0];
  Address result;
  result.offset = operand.offset + base.offset;
  if (base.kind == Kind::Register) {
    const uint32_t bytes = register_size(base);
    if (bytes != 4 && bytes != 8) unsupported("an address in a register of this size");
    result.base = slot_of(base);
    result.is32 = bytes == 4;
    return result;
  }
  if (base.kind == Kind::Integer) return result;

  const ptx::Variable& v = *base.variable;
  result.space = v.space;
  if (const auto slot = slots_.find(&v); slot != slots_.end()) {
    result.param = slot->second;
  } else if (is_dynamic_shared(v) && !fn_.entry) {
    result.base = computed(run_dynamic_shared_address, 4, 0);
    result.is32 = true;
  } else if (is_dynamic_shared(v)) {
    result.offset += code_.dynamic_shared_offset;
  } else if (const auto placed = program_.address_of.find(&v); placed != program_.address_of.end()) {
    result.offset += static_cast<int64_t>(placed->second);
  } else if (const auto offset = layout_.offset.find(&v); offset != layout_.offset.end()) {
    result.offset += offset->second;
  } else {
    unsupported("variable " + std::string(v.name) + " is declared but not defined");
  }
  return result;
}

Handler FunctionLowering::handler(std::string_view name) const {
  const Handler found = find_handler(std::string(name).c_str());
  if (found == nullptr) throw Unsupported{"unsupported instruction: nothing computes " + std::string(name)};
  return found;
}

bool FunctionLowering::has_handler(std::string_view name) const {
  return find_handler(std::string(name).c_str()) != nullptr;
}

}  // namespace vgpu
