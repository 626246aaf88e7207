// Which instructions a register is live at, per thread.
//
// Divergence needs no thought here: handlers touch only the lanes that execute, so every lane owns its part
// of a slot and a register's lifetime is that of a single thread's value.
#pragma once

#include <cstdint>
#include <vector>

#include "ptx/module.h"

namespace vgpu {

// A register in an instruction's operands.
struct Mention {
  int32_t reg = -1;
  bool writes = false;  // false: reads, or reads and writes, or nobody knows
};

// All registers the instruction mentions, the guard included. Only operands known to be destinations are
// `writes`.
void mentions_of(const ptx::Instruction& instruction, std::vector<Mention>& mentions);

// Instructions control can go on to: indices into Function::instructions; instructions.size() is the
// function's end.
void successors_of(const ptx::Function& fn, size_t index, std::vector<size_t>& successors);

// Instructions [begin, end], both included, that enclose the whole life of a register; begin -1 when it is
// never used. Written and read by one instruction counts as overlapping: a handler may write one lane's
// result before it has read another lane's operand.
struct Interval {
  int32_t begin = -1, end = -1;
  void include(int32_t index) {
    if (begin < 0 || index < begin) begin = index;
    if (index > end) end = index;
  }
};
std::vector<Interval> live_intervals(const ptx::Function& fn);

}  // namespace vgpu
