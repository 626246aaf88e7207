// Lowering of the warp-wide matrix instructions: ldmatrix, stmatrix, movmatrix, mma and wmma.
//
// mma and wmma.mma share their handlers (ops/mma_simd.cpp), named "mma.TYPE.SHAPE": the fragments of both
// follow ops/fragment_layout.h. How many registers an operand has is checked here, against what PTX
// prescribes.
#include <charconv>
#include <string>

#include "core/lowering.h"
#include "ops/address_operand.h"
#include "ops/tensor_flags.h"
#include "ops/wmma_layout.h"

namespace vgpu {
namespace {

using ptx::Instruction;
using ptx::Operand;
using ptx::Type;

struct Shape {
  uint32_t m = 0, n = 0, k = 0;
  std::string_view name;  // "m16n8k8"
};

// The first modifier of that form; m == 0: there is none.
Shape find_shape(const Instruction& in) {
  for (std::string_view name : in.modifiers) {
    Shape shape;
    uint32_t* parts[3] = {&shape.m, &shape.n, &shape.k};
    const char* at = name.data();
    const char* end = at + name.size();
    bool fits = true;
    for (int i = 0; i < 3 && fits; ++i) {
      fits = at != end && *at == "mnk"[i];
      if (!fits) break;
      const auto [next, error] = std::from_chars(at + 1, end, *parts[i]);
      fits = error == std::errc() && next != at + 1;
      at = next;
    }
    shape.name = name;
    if (fits && at == end) return shape;
  }
  return {};
}

Shape shape_of(Lowering& l, const Instruction& in) {
  const Shape shape = find_shape(in);
  if (shape.m == 0) l.unsupported(in, "unknown shape");
  return shape;
}

// The modifiers behind the shape that are element types, b1 and s4 included, which ptx::Type does not know.
std::vector<std::string_view> element_types(const Instruction& in, const Shape& shape) {
  static constexpr std::string_view kNames[] = {"f16", "bf16", "tf32", "f32", "f64",  "s32", "s8",
                                                "u8",  "s4",   "u4",   "b1",  "e4m3", "e5m2"};
  std::vector<std::string_view> types;
  bool behind = false;
  for (std::string_view m : in.modifiers) {
    if (behind)
      for (std::string_view name : kNames)
        if (m == name) types.push_back(m);
    behind |= m == shape.name;
  }
  return types;
}

struct Element {
  std::string_view family;  // as handlers are named
  uint32_t bits = 0;
  Type lane = Type::B32;  // what a register of a fragment holds
};

Element element_of(std::string_view type) {
  if (type == "f16" || type == "bf16") return {type, 16, Type::B32};
  if (type == "tf32") return {type, 32, Type::B32};
  if (type == "f32" || type == "s32") return {type, 32, Type::B32};
  if (type == "f64") return {type, 64, Type::F64};
  if (type == "s8" || type == "u8") return {"i8", 8, Type::B32};
  if (type == "e4m3" || type == "e5m2") return {"fp8", 8, Type::B32};
  if (type == "s4" || type == "u4") return {"i4", 4, Type::B32};
  return {"b1", 1, Type::B32};
}

bool marked(std::string_view type) {
  return type == "s8" || type == "s4" || type == "e5m2";
}

void append(Lowering& l, const Operand& operand, Type type, bool destination, std::vector<Ref>& refs) {
  const auto add = [&](const Operand& one) {
    refs.push_back(destination ? l.write(one, type) : l.read(one, type));
  };
  if (operand.kind != Operand::Kind::Vector) return add(operand);
  for (const Operand& one : operand.elements) add(one);
}

size_t registers_in(const Operand& operand) {
  return operand.kind == Operand::Kind::Vector ? operand.elements.size() : 1;
}

// Registers a fragment of rows x columns elements takes, without copies.
uint32_t distinct_registers(uint32_t rows, uint32_t columns, const Element& element) {
  return rows * columns * element.bits / (element.bits == 64 ? 64 : 32) / kLanes;
}

void expect_registers(Lowering& l, const Instruction& in, const Operand& operand, uint32_t distinct) {
  const size_t count = registers_in(operand);
  if (distinct == 0 || count % distinct != 0)
    l.unsupported(in, "unexpected number of registers in a fragment");
}

void refuse_variants(Lowering& l, const Instruction& in) {
  for (std::string_view m : in.modifiers) {
    if (m.starts_with("sp") || m == "block_scale") l.unsupported(in, "sparse and block-scaled matrices");
    if (m == "rz" || m == "rm" || m == "rp") l.unsupported(in, "rounding other than .rn");
    if (m.starts_with("kind::") && m != "kind::f8f6f4") l.unsupported(in, "this kind");
  }
}

// The element types in the order D, A, B, C. wmma leaves out those of A and B where they are f16.
std::vector<std::string_view> operand_types(Lowering& l, const Instruction& in, const Shape& shape) {
  std::vector<std::string_view> types = element_types(in, shape);
  if (types.size() == 2 && in.opcode == "wmma") types = {types[0], "f16", "f16", types[1]};
  if (types.size() != 4) l.unsupported(in, "unknown combination of types");
  return types;
}

void mma_rule(Lowering& l, const Instruction& in) {
  refuse_variants(l, in);
  const Shape shape = shape_of(l, in);
  const std::vector<std::string_view> types = operand_types(l, in, shape);
  const Element d = element_of(types[0]), a = element_of(types[1]), b = element_of(types[2]),
                c = element_of(types[3]);
  const std::string name = "mma." + std::string(a.family) + "." + std::string(shape.name);
  if (a.family != b.family || !l.has_handler(name)) l.unsupported(in, "this shape or combination of types");
  if (in.operands.size() != 4) l.unsupported(in, "unexpected number of operands");
  if (in.opcode == "mma" && (!in.has("row") || !in.has("col")))
    l.unsupported(in, "layouts other than .row.col");
  expect_registers(l, in, in.operands[0], distinct_registers(shape.m, shape.n, d));
  expect_registers(l, in, in.operands[1], distinct_registers(shape.m, shape.k, a));
  expect_registers(l, in, in.operands[2], distinct_registers(shape.n, shape.k, b));
  expect_registers(l, in, in.operands[3], distinct_registers(shape.m, shape.n, c));
  std::vector<Ref> sources, refs;
  append(l, in.operands[1], a.lane, false, sources);
  const size_t b_at = sources.size();
  append(l, in.operands[2], b.lane, false, sources);
  const size_t c_at = sources.size();
  append(l, in.operands[3], c.lane, false, sources);
  append(l, in.operands[0], d.lane, true, refs);
  const size_t a_at = refs.size();
  refs.insert(refs.end(), sources.begin(), sources.end());
  const uint32_t extra = l.refs(refs);
  Inst& inst = l.emit(in, l.handler(name));
  inst.extra = extra;
  inst.count = static_cast<uint8_t>(a_at);
  inst.imm = static_cast<int64_t>(a_at | (a_at + b_at) << 8 | (a_at + c_at) << 16);
  uint16_t flags = 0;
  if (c.bits == 16) flags |= tensor_flag::kHalfC;
  if (d.bits == 16) flags |= tensor_flag::kHalfD;
  if (marked(types[1])) flags |= tensor_flag::kSignedA;
  if (marked(types[2])) flags |= tensor_flag::kSignedB;
  if (in.has("xor")) flags |= tensor_flag::kXor;
  if (in.has("satfinite") && d.family == "s32") flags |= flag::kSat;
  inst.flags = flags;
}

// A fragment of wmma in memory: `d` and `c` are the accumulators'.
FragmentWords fragment_of(Lowering& l, const Instruction& in, std::string_view which,
                          const Operand& operand) {
  const Shape shape = shape_of(l, in);
  const std::vector<std::string_view> types = element_types(in, shape);
  if (types.size() != 1) l.unsupported(in, "unknown type");
  const Element element = element_of(types[0]);
  const bool by_rows = in.has("row");
  if (by_rows == in.has("col")) l.unsupported(in, "unknown layout");
  FragmentWords f = {};
  const FragmentRole role = which == "a"   ? FragmentRole::A
                            : which == "b" ? FragmentRole::B
                                           : FragmentRole::Accumulator;
  f.role = static_cast<uint32_t>(role);
  f.rows = role == FragmentRole::B ? shape.n : shape.m;
  f.columns = role == FragmentRole::Accumulator ? shape.n : shape.k;
  f.bits = element.bits;
  f.packed = element.bits >= 32 ? 1 : 32 / element.bits;
  f.along = by_rows == (role != FragmentRole::B) ? 1 : 0;
  f.distinct = distinct_registers(f.rows, f.columns, element);
  f.registers = static_cast<uint32_t>(registers_in(operand));
  expect_registers(l, in, operand, f.distinct);
  if (f.bits < 8 && f.along == 0) l.unsupported(in, "this layout of elements smaller than a byte");
  return f;
}

void wmma_memory_rule(Lowering& l, const Instruction& in, bool load) {
  const Operand& registers = in.operands.at(load ? 0 : 1);
  const FragmentWords f = fragment_of(l, in, in.modifiers.at(1), registers);
  const Type lane = f.bits == 64 ? Type::F64 : Type::B32;
  const AddressOperand address = address_operand(l, in.operands.at(load ? 1 : 0), named_space(in));
  const Ref stride = in.operands.size() > 2 ? l.read(in.operands[2], Type::U32) : kNoRef;
  const bool is32 = (address.flags & memory_flag::kIs32) != 0;
  const Ref scratch = l.temporary(is32 ? 4 : 8);
  std::vector<Ref> refs = {f.role, f.rows, f.columns, f.bits, f.packed, f.along, f.distinct, f.registers};
  append(l, registers, lane, load, refs);
  const uint32_t extra = l.refs(refs);
  const std::string name = std::string(load ? "wmma.load" : "wmma.store") + (f.bits == 64 ? ".b64" : ".b32");
  Inst& inst = l.emit(in, l.handler(name));
  inst.a = address.base;
  inst.b = stride;
  inst.d = scratch;
  inst.imm = address.offset;
  inst.flags = address.flags;
  inst.extra = extra;
}

void wmma_rule(Lowering& l, const Instruction& in) {
  const std::string_view what = in.modifiers.empty() ? std::string_view() : in.modifiers[0];
  if (what == "mma") return mma_rule(l, in);
  if (what != "load" && what != "store") l.unsupported(in, "unknown form");
  wmma_memory_rule(l, in, what == "load");
}

void matrix_memory_rule(Lowering& l, const Instruction& in, bool load) {
  if (!in.has("m8n8") || !in.has("b16")) l.unsupported(in, "shapes other than .m8n8 of .b16");
  const Operand& registers = in.operands.at(load ? 0 : 1);
  const char* count = in.has("x4") ? "x4" : in.has("x2") ? "x2" : "x1";
  if (registers_in(registers) != static_cast<size_t>(count[1] - '0'))
    l.unsupported(in, "number of registers");
  const AddressOperand address = address_operand(l, in.operands.at(load ? 1 : 0), named_space(in));
  std::vector<Ref> refs;
  append(l, registers, Type::B32, load, refs);
  const uint32_t extra = l.refs(refs);
  const std::string name = std::string(in.opcode) + "." + count + (in.has("trans") ? ".trans" : "");
  Inst& inst = l.emit(in, l.handler(name));
  inst.a = address.base;
  inst.imm = address.offset;
  inst.flags = address.flags;
  inst.extra = extra;
  inst.count = static_cast<uint8_t>(refs.size());
}

void ldmatrix_rule(Lowering& l, const Instruction& in) {
  matrix_memory_rule(l, in, true);
}
void stmatrix_rule(Lowering& l, const Instruction& in) {
  matrix_memory_rule(l, in, false);
}

void movmatrix_rule(Lowering& l, const Instruction& in) {
  const Ref a = l.read(in.operands.at(1), Type::B32), d = l.write(in.operands.at(0), Type::B32);
  Inst& inst = l.emit(in, l.handler("movmatrix"));
  inst.a = a;
  inst.d = d;
}

}  // namespace

void add_tensor_rules(RuleMap& rules) {
  rules["mma"] = mma_rule;
  rules["wmma"] = wmma_rule;
  rules["ldmatrix"] = ldmatrix_rule;
  rules["stmatrix"] = stmatrix_rule;
  rules["movmatrix"] = movmatrix_rule;
}

}  // namespace vgpu
