// Backward data flow over basic blocks, one bit a register.
#include "core/liveness.h"

#include <algorithm>

namespace vgpu {

namespace {

using Kind = ptx::Operand::Kind;

// Opcodes whose first operand, where it is no address, is written and not read. Anything else is taken as
// read: that only makes lifetimes longer. Sorted.
constexpr std::string_view kWriters[] = {
    "abs",          "activemask", "add",        "addc",     "alloca",    "and",  "atom",     "bfe",
    "bfi",          "bfind",      "bmsk",       "brev",     "clz",       "cnot", "copysign", "cos",
    "createpolicy", "cvt",        "cvta",       "div",      "dp2a",      "dp4a", "elect",    "ex2",
    "fma",          "fns",        "getctarank", "isspacep", "istypep",   "ld",   "ldmatrix", "ldu",
    "lg2",          "lop3",       "mad",        "mad24",    "madc",      "mapa", "match",    "max",
    "mbarrier",     "min",        "mma",        "mov",      "movmatrix", "mul",  "mul24",    "multimem",
    "neg",          "not",        "or",         "popc",     "prmt",      "rcp",  "redux",    "rem",
    "rsqrt",        "sad",        "selp",       "set",      "setp",      "shf",  "shfl",     "shl",
    "shr",          "sin",        "slct",       "sqrt",     "stacksave", "sub",  "subc",     "szext",
    "tanh",         "testp",      "vote",       "wmma",     "xor"};

bool writes_first_operand(const ptx::Instruction& in) {
  if (in.opcode == "bar" || in.opcode == "barrier") return in.has("red");
  return std::binary_search(std::begin(kWriters), std::end(kWriters), in.opcode);
}

void add_mentions(const ptx::Operand& operand, bool writes, std::vector<Mention>& mentions) {
  if (operand.kind == Kind::Register) mentions.push_back({operand.index, writes});
  const bool inner = writes && (operand.kind == Kind::Vector || operand.kind == Kind::Pair);
  for (const ptx::Operand& element : operand.elements) add_mentions(element, inner, mentions);
}

bool ends_flow(const ptx::Instruction& in) {
  return in.opcode == "ret" || in.opcode == "exit" || in.opcode == "trap";
}

bool branches(const ptx::Instruction& in) {
  return in.opcode == "bra" || in.opcode == "brx";
}

struct BlockFlow {
  size_t begin = 0, end = 0;
  std::vector<uint32_t> successors;
};

class Flow {
 public:
  explicit Flow(const ptx::Function& fn) : fn_(fn), words_((fn.registers.size() + 63) / 64) {}
  std::vector<Interval> intervals();

 private:
  using Bits = uint64_t*;
  void find_blocks();
  void find_local_sets();
  void solve();
  Bits row(std::vector<uint64_t>& matrix, size_t block) const { return matrix.data() + block * words_; }

  const ptx::Function& fn_;
  size_t words_;
  std::vector<BlockFlow> blocks_;
  std::vector<uint64_t> live_in_, written_;  // live_in_ starts as "read before written"
};

void Flow::find_blocks() {
  const size_t count = fn_.instructions.size();
  std::vector<uint8_t> leader(count + 1, 0);
  if (count != 0) leader[0] = 1;
  for (const ptx::Label& label : fn_.labels) leader[label.target] = 1;
  for (size_t i = 0; i < count; ++i)
    if (branches(fn_.instructions[i]) || ends_flow(fn_.instructions[i])) leader[i + 1] = 1;

  std::vector<uint32_t> block_of(count + 1, 0);
  for (size_t i = 0; i < count; ++i) {
    if (leader[i]) blocks_.push_back({i, i, {}});
    blocks_.back().end = i + 1;
    block_of[i] = static_cast<uint32_t>(blocks_.size()) - 1;
  }
  std::vector<size_t> successors;
  for (BlockFlow& block : blocks_) {
    successors_of(fn_, block.end - 1, successors);
    for (size_t target : successors)
      if (target < count) block.successors.push_back(block_of[target]);
  }
}

void Flow::find_local_sets() {
  live_in_.assign(blocks_.size() * words_, 0);
  written_.assign(blocks_.size() * words_, 0);
  std::vector<Mention> mentions;
  for (size_t b = 0; b < blocks_.size(); ++b) {
    Bits read = row(live_in_, b), written = row(written_, b);
    for (size_t i = blocks_[b].begin; i < blocks_[b].end; ++i) {
      const ptx::Instruction& in = fn_.instructions[i];
      mentions_of(in, mentions);
      for (const Mention& m : mentions) {
        const size_t word = static_cast<size_t>(m.reg) / 64;
        if (!m.writes) read[word] |= (uint64_t{1} << (m.reg % 64)) & ~written[word];
      }
      if (in.guard >= 0) continue;  // lanes whose guard fails keep the old value
      for (const Mention& m : mentions)
        if (m.writes) written[static_cast<size_t>(m.reg) / 64] |= uint64_t{1} << (m.reg % 64);
    }
  }
}

void Flow::solve() {
  bool changed = true;
  while (changed) {
    changed = false;
    for (size_t b = blocks_.size(); b-- > 0;) {
      Bits in = row(live_in_, b), written = row(written_, b);
      for (uint32_t successor : blocks_[b].successors) {
        const Bits out = row(live_in_, successor);
        for (size_t w = 0; w < words_; ++w) {
          const uint64_t fresh = out[w] & ~written[w] & ~in[w];
          in[w] |= fresh;
          changed |= fresh != 0;
        }
      }
    }
  }
}

std::vector<Interval> Flow::intervals() {
  find_blocks();
  find_local_sets();
  solve();
  std::vector<Interval> result(fn_.registers.size());
  const auto include_row = [&](Bits bits, size_t index) {
    for (size_t w = 0; w < words_; ++w)
      for (uint64_t rest = bits[w]; rest != 0; rest &= rest - 1)
        result[w * 64 + static_cast<size_t>(__builtin_ctzll(rest))].include(static_cast<int32_t>(index));
  };
  std::vector<Mention> mentions;
  for (size_t b = 0; b < blocks_.size(); ++b) {
    include_row(row(live_in_, b), blocks_[b].begin);
    for (uint32_t successor : blocks_[b].successors)
      include_row(row(live_in_, successor), blocks_[b].end - 1);
    for (size_t i = blocks_[b].begin; i < blocks_[b].end; ++i) {
      mentions_of(fn_.instructions[i], mentions);
      for (const Mention& m : mentions) result[static_cast<size_t>(m.reg)].include(static_cast<int32_t>(i));
    }
  }
  return result;
}

}  // namespace

void mentions_of(const ptx::Instruction& instruction, std::vector<Mention>& mentions) {
  mentions.clear();
  if (instruction.guard >= 0) mentions.push_back({instruction.guard, false});
  bool writes = writes_first_operand(instruction);
  for (const ptx::Operand& operand : instruction.operands) {
    add_mentions(operand, writes && operand.kind != Kind::Address, mentions);
    writes = false;
  }
}

void successors_of(const ptx::Function& fn, size_t index, std::vector<size_t>& successors) {
  successors.clear();
  const ptx::Instruction& in = fn.instructions[index];
  const bool jumps = branches(in);
  if (in.guard >= 0 || (!jumps && !ends_flow(in))) successors.push_back(index + 1);
  if (!jumps) return;
  for (const ptx::Operand& operand : in.operands) {
    if (operand.kind != Kind::Label) continue;
    const ptx::Label& label = fn.labels[static_cast<size_t>(operand.index)];
    if (in.opcode == "bra") successors.push_back(label.target);
    for (int32_t target : label.branch_targets)
      successors.push_back(fn.labels[static_cast<size_t>(target)].target);
  }
}

std::vector<Interval> live_intervals(const ptx::Function& fn) {
  return Flow(fn).intervals();
}

}  // namespace vgpu
