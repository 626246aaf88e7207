// Lowering of cvt: a conversion becomes a chain of one to four steps, each a handler of its own.
//
// Most conversions are one step. Others are put together: an 8-bit integer is extended before it becomes a
// float, f16 goes to f64 by way of f32 (exactly), .sat clamps first, and a result narrower than its register
// is extended to it.
#include <optional>
#include <vector>

#include "ops/integer_flags.h"
#include "ops/rule_support.h"

namespace vgpu {
namespace {

using rule::Type;

class Conversion {
 public:
  Conversion(Lowering& lowering, const ptx::Instruction& in, Ref source)
      : lowering_(lowering), in_(in), current_(source) {}

  void step(std::string name, uint32_t result_bytes, uint16_t flags = 0, Ref second = kNoRef) {
    steps_.push_back({std::move(name), result_bytes, flags, second});
  }

  // Runs the chain; `type` is what the last step made.
  void finish(Type type) {
    extend_to_register(type);
    if (steps_.empty()) step("mov." + rule::bits_name(type), size_of(type));
    for (size_t k = 0; k < steps_.size(); ++k) {
      const Step& s = steps_[k];
      const bool last = k + 1 == steps_.size();
      const Ref d =
          last ? lowering_.write(in_.operands[0], rule::bits_type(s.bytes)) : lowering_.temporary(s.bytes);
      rule::emit(lowering_, in_, s.name, d, {current_, s.second}, s.flags);
      current_ = d;
    }
  }

 private:
  struct Step {
    std::string name;
    uint32_t bytes;
    uint16_t flags;
    Ref second;
  };

  // A register wider than the result's type receives it sign- or zero-extended.
  void extend_to_register(Type type) {
    if (in_.operands[0].kind != ptx::Operand::Kind::Register) return;
    const uint32_t bytes = lowering_.register_size(in_.operands[0]);
    if (bytes > size_of(type)) step("ext." + rule::bits_name(bytes) + "." + rule::signed_name(type), bytes);
  }

  Lowering& lowering_;
  const ptx::Instruction& in_;
  Ref current_;
  std::vector<Step> steps_;
};

struct Range {
  int64_t low;
  uint64_t high;
};
Range range_of(Type type) {
  const uint32_t bits = 8 * size_of(type) - (rule::is_signed(type) ? 1 : 0);
  const uint64_t high = ~uint64_t{0} >> (64 - bits);
  return {rule::is_signed(type) ? -static_cast<int64_t>(high) - 1 : 0, high};
}

// Narrowing or widening of `from` to the size of `to`.
void resize(Conversion& chain, Type from, Type to) {
  const uint32_t bytes = size_of(to);
  if (bytes < size_of(from))
    chain.step("trunc." + rule::bits_name(bytes) + "." + rule::bits_name(from), bytes);
  if (bytes > size_of(from))
    chain.step("ext." + rule::bits_name(bytes) + "." + rule::signed_name(from), bytes);
}

// 8-bit integers become 16-bit ones where there are no handlers for them; values stay.
Type at_least(Conversion& chain, Type from, Type smallest) {
  if (size_of(from) >= size_of(smallest)) return from;
  const bool is_signed = rule::is_signed(from);
  const Type wider =
      size_of(smallest) == 2 ? (is_signed ? Type::S16 : Type::U16) : (is_signed ? Type::S32 : Type::U32);
  resize(chain, from, wider);
  return wider;
}

Type clamp(Lowering& lowering, Conversion& chain, Type from, Type to) {
  from = at_least(chain, from, Type::U16);
  const Range have = range_of(from), want = range_of(to);
  const std::string suffix = "." + rule::signed_name(from);
  const uint32_t bytes = size_of(from);
  if (want.low > have.low)
    chain.step("max" + suffix, bytes, 0, lowering.constant(static_cast<uint64_t>(want.low), bytes));
  if (want.high < have.high) chain.step("min" + suffix, bytes, 0, lowering.constant(want.high, bytes));
  return from;
}

bool is_half(Type type) {
  return type == Type::F16 || type == Type::BF16;
}
bool is_float(Type type) {
  return is_half(type) || type == Type::F32 || type == Type::F64 || type == Type::TF32;
}
bool is_pair(Type type) {
  return type == Type::F16x2 || type == Type::BF16x2 || type == Type::E4M3x2 || type == Type::E5M2x2;
}
std::string cvt_name(Type to, Type from) {
  return std::string("cvt.") + type_name(to) + "." + type_name(from);
}

// The modifiers that matter to a float conversion; .sat is a step of its own.
struct Modifiers {
  uint16_t round = 0, ftz = 0, relu = 0, finite = 0;
  bool sat = false;
  bool integral = false;  // rni, rzi, rmi, rpi
};
Modifiers modifiers_of(const ptx::Instruction& in) {
  Modifiers m;
  m.round = arithmetic_flags(in) & flag::kRoundMask;
  if (in.has("ftz")) m.ftz = flag::kFtz;
  if (in.has("relu")) m.relu = flag::kRelu;
  if (in.has("satfinite")) m.finite = convert::kFinite;
  m.sat = in.has("sat");
  m.integral = in.has("rni") || in.has("rzi") || in.has("rmi") || in.has("rpi");
  return m;
}
uint16_t narrow_flags(const Modifiers& m) {
  return static_cast<uint16_t>(m.round | m.ftz | m.relu | m.finite);
}

void saturate(Conversion& chain, const Modifiers& m, Type type) {
  if (m.sat) chain.step(std::string("sat.") + type_name(type), size_of(type));
}

// From a half to f32, which holds all of them.
Type widen_half(Conversion& chain, Type from, uint16_t ftz) {
  if (!is_half(from)) return from;
  chain.step(cvt_name(Type::F32, from), 4, ftz);
  return Type::F32;
}

void integer_to_integer(Lowering& lowering, Conversion& chain, const Modifiers& m, Type to, Type from) {
  if (m.sat) from = clamp(lowering, chain, from, to);
  resize(chain, from, to);
}

void integer_to_float(Conversion& chain, const Modifiers& m, Type to, Type from) {
  from = at_least(chain, from, Type::U32);
  const std::string name = std::string("cvt.") + type_name(to) + "." + rule::signed_name(from);
  chain.step(name, size_of(to), narrow_flags(m));
  saturate(chain, m, to);
}

void float_to_integer(Conversion& chain, const Modifiers& m, Type to, Type from) {
  from = widen_half(chain, from, m.ftz);
  chain.step(cvt_name(to, from), size_of(to), static_cast<uint16_t>(m.round | m.ftz));
}

void float_to_float(Conversion& chain, const Modifiers& m, Type to, Type from) {
  if (to == from) {
    if (m.integral)
      chain.step(std::string("round.") + type_name(to), size_of(to), static_cast<uint16_t>(m.round | m.ftz));
    else if (to == Type::F32)
      chain.step(cvt_name(to, from), 4, m.ftz);
  } else {
    if (is_half(from) && to != Type::F32) from = widen_half(chain, from, 0);
    chain.step(cvt_name(to, from), size_of(to), narrow_flags(m));
  }
  saturate(chain, m, to);
}

void lower_pair(Lowering& lowering, const ptx::Instruction& in, Type to, Type from) {
  const std::string name = cvt_name(to, from);
  if (!lowering.has_handler(name)) lowering.unsupported(in, "no such conversion");
  const bool two = from == Type::F32;
  const Ref a = lowering.read(in.operands[1], from);
  Ref b = kNoRef;
  if (two) {
    if (in.operands.size() < 3) lowering.unsupported(in, "a second source is needed");
    b = lowering.read(in.operands[2], from);
  }
  const Ref d = lowering.write(in.operands[0], rule::bits_type(size_of(to)));
  rule::emit(lowering, in, name, d, {a, b}, narrow_flags(modifiers_of(in)));
}

// cvt.pack.sat.TYPE.s32[.b32] d, a, b[, c]
void lower_cvt_pack(Lowering& lowering, const ptx::Instruction& in) {
  struct Part {
    std::string_view name;
    int64_t bits;
  };
  constexpr Part kParts[] = {{"u16", 16}, {"s16", 16}, {"u8", 8}, {"s8", 8},
                             {"u4", 4},   {"s4", 4},   {"u2", 2}, {"s2", 2}};
  for (const Part& part : kParts) {
    if (!in.has(part.name)) continue;
    const Ref a = lowering.read(in.operands[1], Type::S32), b = lowering.read(in.operands[2], Type::S32);
    const bool third = in.operands.size() > 3;
    const Ref c = third ? lowering.read(in.operands[3], Type::B32) : kNoRef;
    const Ref d = lowering.write(in.operands[0], Type::B32);
    const int64_t sign = part.name[0] == 's' ? 0x100 : 0;
    rule::emit(lowering, in, "cvt.pack", d, {a, b, c}).imm = part.bits | sign | (third ? 0x200 : 0);
    return;
  }
  lowering.unsupported(in, "no such packed type");
}

void lower_cvt(Lowering& lowering, const ptx::Instruction& in) {
  if (in.has("pack")) return lower_cvt_pack(lowering, in);
  const std::vector<Type> types = types_of(in);
  if (types.size() != 2 || in.has("rs") || in.operands.size() < 2)
    lowering.unsupported(in, "no such conversion");
  const Type to = types[0], from = types[1];
  if (is_pair(to)) return lower_pair(lowering, in, to, from);
  const bool known = (is_float(to) || rule::is_integer(to)) && (is_float(from) || rule::is_integer(from));
  if (!known) lowering.unsupported(in, "no such conversion");
  const Modifiers m = modifiers_of(in);
  Conversion chain(lowering, in, lowering.narrow(in.operands[1], from));
  if (rule::is_integer(to) && rule::is_integer(from))
    integer_to_integer(lowering, chain, m, to, from);
  else if (rule::is_integer(from))
    integer_to_float(chain, m, to, from);
  else if (rule::is_integer(to))
    float_to_integer(chain, m, to, from);
  else
    float_to_float(chain, m, to, from);
  chain.finish(to);
}

}  // namespace

void add_convert_rules(RuleMap& rules) {
  rules["cvt"] = lower_cvt;
  add_move_rules(rules);
  add_compare_rules(rules);
}

}  // namespace vgpu
