// Types and modifiers by name: what the parser and every lowering rule ask of them.
#include "core/lowering.h"

namespace vgpu {

namespace {

using ptx::Type;

struct TypeEntry {
  const char* name;
  uint32_t size;
};

// In the order of ptx::Type.
constexpr TypeEntry kTypes[] = {
    {"", 0},      {"pred", 0}, {"b8", 1},    {"b16", 2},   {"b32", 4},    {"b64", 8},    {"b128", 16},
    {"u8", 1},    {"u16", 2},  {"u32", 4},   {"u64", 8},   {"s8", 1},     {"s16", 2},    {"s32", 4},
    {"s64", 8},   {"f16", 2},  {"f16x2", 4}, {"bf16", 2},  {"bf16x2", 4}, {"tf32", 4},   {"f32", 4},
    {"f32x2", 8}, {"f64", 8},  {"u16x2", 4}, {"s16x2", 4}, {"e4m3x2", 2}, {"e5m2x2", 2}, {"other", 0}};
static_assert(sizeof kTypes / sizeof *kTypes == static_cast<size_t>(Type::Other) + 1);

Round rounding_of(std::string_view modifier, Round otherwise) {
  if (modifier == "rn" || modifier == "rni") return Round::NearestEven;
  if (modifier == "rz" || modifier == "rzi") return Round::Zero;
  if (modifier == "rm" || modifier == "rmi") return Round::Down;
  if (modifier == "rp" || modifier == "rpi") return Round::Up;
  if (modifier == "rna") return Round::NearestAway;
  return otherwise;
}

}  // namespace

ptx::Type last_type(const ptx::Instruction& instruction) {
  for (size_t i = instruction.modifiers.size(); i-- > 0;) {
    const Type type = ptx::type_named(instruction.modifiers[i]);
    if (type != Type::Other) return type;
  }
  return Type::None;
}

std::vector<ptx::Type> types_of(const ptx::Instruction& instruction) {
  std::vector<Type> types;
  for (std::string_view modifier : instruction.modifiers) {
    const Type type = ptx::type_named(modifier);
    if (type != Type::Other) types.push_back(type);
  }
  return types;
}

uint16_t arithmetic_flags(const ptx::Instruction& instruction) {
  uint16_t flags = 0;
  Round round = Round::NearestEven;
  for (std::string_view modifier : instruction.modifiers) {
    round = rounding_of(modifier, round);
    if (modifier == "ftz") flags |= flag::kFtz;
    if (modifier == "sat" || modifier == "satfinite") flags |= flag::kSat;
    if (modifier == "relu") flags |= flag::kRelu;
    if (modifier == "NaN") flags |= flag::kNan;
  }
  return static_cast<uint16_t>(flags | static_cast<uint16_t>(round));
}

const char* type_name(ptx::Type type) {
  return kTypes[static_cast<size_t>(type)].name;
}

namespace ptx {

uint32_t size_of(Type type) {
  return kTypes[static_cast<size_t>(type)].size;
}

Type type_named(std::string_view name) {
  if (name.size() < 2 || name.size() > 6) return Type::Other;
  for (size_t i = static_cast<size_t>(Type::Pred); i < static_cast<size_t>(Type::Other); ++i)
    if (kTypes[i].name == name) return static_cast<Type>(i);
  return Type::Other;
}

}  // namespace ptx

}  // namespace vgpu
