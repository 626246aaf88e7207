// Helpers of the integer, move, comparison and conversion rules: handler names from types, and emitting in
// one line.
#pragma once

#include <initializer_list>
#include <string>

#include "core/lowering.h"

namespace vgpu::rule {

using ptx::Type;

inline bool is_signed(Type type) {
  return type == Type::S8 || type == Type::S16 || type == Type::S32 || type == Type::S64 ||
         type == Type::S16x2;
}
inline bool is_integer(Type type) {
  return type >= Type::U8 && type <= Type::S64;
}
inline bool is_bits(Type type) {
  return type >= Type::B8 && type <= Type::B128;
}

// "b32": of that size whatever the type; "s32" or "u32": of that size and sign.
inline std::string bits_name(uint32_t bytes) {
  return "b" + std::to_string(8 * bytes);
}
inline std::string bits_name(Type type) {
  return bits_name(size_of(type));
}
inline std::string signed_name(Type type) {
  return (is_signed(type) ? "s" : "u") + std::to_string(8 * size_of(type));
}
inline Type bits_type(uint32_t bytes) {
  switch (bytes) {
    case 1:
      return Type::B8;
    case 2:
      return Type::B16;
    case 4:
      return Type::B32;
    case 8:
      return Type::B64;
    case 16:
      return Type::B128;
    default:
      return Type::Pred;
  }
}

// Emits `name` with up to three sources into `d`.
inline Inst& emit(Lowering& lowering, const ptx::Instruction& in, const std::string& name, Ref d,
                  std::initializer_list<Ref> sources, uint16_t flags = 0) {
  Inst& inst = lowering.emit(in, lowering.handler(name));
  Ref* const places[3] = {&inst.a, &inst.b, &inst.c};
  size_t count = 0;
  for (Ref source : sources) *places[count++] = source;
  inst.d = d;
  inst.flags = flags;
  return inst;
}

}  // namespace vgpu::rule

namespace vgpu {

void add_bit_rules(RuleMap& rules);      // part of add_integer_rules()
void add_compare_rules(RuleMap& rules);  // part of add_convert_rules()
void add_move_rules(RuleMap& rules);     // part of add_convert_rules()

}  // namespace vgpu
