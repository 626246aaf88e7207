// Lowering of comparisons and selections: setp, set, selp, slct.
//
// The handlers know a handful of comparisons; the others are those with operands swapped or the outcome
// inverted. `set` and `slct` become a setp into a temporary predicate and selp.
#include <string_view>
#include <vector>

#include "ops/integer_flags.h"
#include "ops/rule_support.h"

namespace vgpu {
namespace {

using ptx::Operand;
using rule::Type;

struct Comparison {
  std::string_view name;  // as PTX has it
  std::string_view base;  // the handler's
  bool swapped, inverted;
};
constexpr Comparison kIntegers[] = {
    {"eq", "eq", false, false}, {"ne", "eq", false, true}, {"lt", "lt", false, false},
    {"le", "lt", true, true},   {"gt", "lt", true, false}, {"ge", "lt", false, true},
    {"lo", "lt", false, false}, {"ls", "lt", true, true},  {"hi", "lt", true, false},
    {"hs", "lt", false, true},
};
constexpr Comparison kFloats[] = {
    {"eq", "eq", false, false},   {"ne", "ne", false, false},  {"lt", "lt", false, false},
    {"le", "le", false, false},   {"gt", "lt", true, false},   {"ge", "le", true, false},
    {"equ", "ne", false, true},   {"neu", "eq", false, true},  {"ltu", "le", true, true},
    {"leu", "lt", true, true},    {"gtu", "le", false, true},  {"geu", "lt", false, true},
    {"num", "num", false, false}, {"nan", "num", false, true},
};

bool is_pair(Type type) {
  return type == Type::F16x2 || type == Type::BF16x2;
}
bool is_float(Type type) {
  return type == Type::F16 || type == Type::BF16 || type == Type::F32 || type == Type::F64 || is_pair(type);
}
bool is_unsigned_order(std::string_view name) {
  return name == "lo" || name == "ls" || name == "hi" || name == "hs";
}

const Comparison* find_comparison(const ptx::Instruction& in, bool floats) {
  for (std::string_view modifier : in.modifiers) {
    for (const Comparison& c : kIntegers)
      if (!floats && c.name == modifier) return &c;
    for (const Comparison& c : kFloats)
      if (floats && c.name == modifier) return &c;
  }
  return nullptr;
}

std::string handler_name(const Comparison& comparison, Type type) {
  std::string name = "setp." + std::string(comparison.base) + ".";
  if (is_float(type)) return name + type_name(type);
  if (comparison.base == "eq") return name + rule::bits_name(type);
  if (is_unsigned_order(comparison.name)) return name + "u" + std::to_string(8 * size_of(type));
  return name + rule::signed_name(type);
}

uint16_t combination(const ptx::Instruction& in) {
  if (in.has("and")) return compare::kAnd;
  if (in.has("or")) return compare::kOr;
  return in.has("xor") ? compare::kXor : 0;
}

// p = (operands[1] cmp operands[2]) op operands[3], and q where there is one.
void emit_setp(Lowering& lowering, const ptx::Instruction& in, Type type, Ref p, Ref q) {
  const Comparison* comparison = find_comparison(in, is_float(type));
  if (comparison == nullptr || in.operands.size() < 3) lowering.unsupported(in, "no such comparison");
  Ref a = lowering.read(in.operands[1], type), b = lowering.read(in.operands[2], type);
  if (comparison->swapped) std::swap(a, b);
  uint16_t flags = combination(in);
  Ref c = kNoRef;
  if (flags != 0) {
    if (in.operands.size() < 4) lowering.unsupported(in, "the third predicate is missing");
    c = lowering.read(in.operands[3], Type::Pred);
  }
  if (comparison->inverted) flags |= compare::kInvert;
  if (in.has("ftz")) flags |= flag::kFtz;
  rule::emit(lowering, in, handler_name(*comparison, type), p, {a, b, c}, flags).imm = q;
}

Ref destination(Lowering& lowering, const Operand& operand) {
  return operand.kind == Operand::Kind::Sink ? kNoRef : lowering.write(operand, Type::Pred);
}

void lower_setp(Lowering& lowering, const ptx::Instruction& in) {
  const Operand& d = in.operands[0];
  const bool two = d.kind == Operand::Kind::Pair;
  const Ref p = destination(lowering, two ? d.elements[0] : d);
  const Ref q = two ? destination(lowering, d.elements[1]) : kNoRef;
  const Type type = last_type(in);
  if (is_pair(type)) {  // both are needed by the handler
    emit_setp(lowering, in, type, p == kNoRef ? lowering.temporary(0) : p,
              q == kNoRef ? lowering.temporary(0) : q);
  } else {
    emit_setp(lowering, in, type, p, q);
  }
}

// What `set` writes where the comparison holds.
uint64_t truth(Type type) {
  switch (type) {
    case Type::F32:
      return 0x3F800000u;
    case Type::F16:
      return 0x3C00u;
    case Type::BF16:
      return 0x3F80u;
    case Type::F16x2:
      return 0x3C003C00u;
    case Type::BF16x2:
      return 0x3F803F80u;
    default:
      return 0xFFFFFFFFu;
  }
}

void lower_set(Lowering& lowering, const ptx::Instruction& in) {
  const std::vector<Type> types = types_of(in);
  if (types.size() != 2) lowering.unsupported(in, "two types are needed");
  const Type result = types[0], type = types[1];
  const Ref p = lowering.temporary(0), q = is_pair(type) ? lowering.temporary(0) : kNoRef;
  emit_setp(lowering, in, type, p, q);
  const Ref d = lowering.write(in.operands[0], result);
  if (!is_pair(type)) {
    const Ref yes = lowering.constant(truth(result), size_of(result)),
              no = lowering.constant(0, size_of(result));
    rule::emit(lowering, in, "selp." + rule::bits_name(result), d, {yes, no, p});
    return;
  }
  const Ref yes = lowering.constant(truth(result) & 0xFFFF, 2), no = lowering.constant(0, 2);
  const Ref low = lowering.temporary(2), high = lowering.temporary(2);
  rule::emit(lowering, in, "selp.b16", low, {yes, no, p});
  rule::emit(lowering, in, "selp.b16", high, {yes, no, q});
  const uint32_t extra = lowering.refs({low, high});
  rule::emit(lowering, in, "pack.b32.b16", d, {}).extra = extra;
}

void lower_selp(Lowering& lowering, const ptx::Instruction& in) {
  const Type type = last_type(in);
  const Ref a = lowering.read(in.operands[1], type), b = lowering.read(in.operands[2], type);
  const Ref c = lowering.read(in.operands[3], Type::Pred);
  const Ref d = lowering.write(in.operands[0], type);
  rule::emit(lowering, in, "selp." + rule::bits_name(type), d, {a, b, c});
}

// d = c >= 0 ? a : b, where an unordered c chooses b.
void lower_slct(Lowering& lowering, const ptx::Instruction& in) {
  const std::vector<Type> types = types_of(in);
  if (types.size() != 2) lowering.unsupported(in, "two types are needed");
  const Ref a = lowering.read(in.operands[1], types[0]), b = lowering.read(in.operands[2], types[0]);
  const Ref c = lowering.read(in.operands[3], types[1]), zero = lowering.constant(0, 4),
            p = lowering.temporary(0);
  const Ref d = lowering.write(in.operands[0], types[0]);
  if (types[1] == Type::F32) {
    const uint16_t flags = in.has("ftz") ? flag::kFtz : uint16_t{0};
    rule::emit(lowering, in, "setp.le.f32", p, {zero, c}, flags).imm = kNoRef;
  } else {
    rule::emit(lowering, in, "setp.lt.s32", p, {c, zero}, compare::kInvert).imm = kNoRef;
  }
  rule::emit(lowering, in, "selp." + rule::bits_name(types[0]), d, {a, b, p});
}

}  // namespace

void add_compare_rules(RuleMap& rules) {
  rules["setp"] = lower_setp;
  rules["set"] = lower_set;
  rules["selp"] = lower_selp;
  rules["slct"] = lower_slct;
}

}  // namespace vgpu
