// What a wmma.load or wmma.store instruction says about its fragment, at the head of its refs.
#pragma once

#include <cstdint>

namespace vgpu {

enum class FragmentRole : uint32_t { A, B /* held transposed */, Accumulator };

// As 32-bit words in Program::refs, the registers behind.
struct FragmentWords {
  uint32_t role;  // FragmentRole
  uint32_t rows;  // of the matrix as its tiles see it: m x k, n x k or m x n
  uint32_t columns;
  uint32_t bits;    // of an element
  uint32_t packed;  // elements a lane has in a register
  uint32_t along;  // 1: a tile's rows lie along memory, so that a lane's packed elements are neighbours there
  uint32_t distinct;   // registers that are no copies of earlier ones
  uint32_t registers;  // all of them
};
inline constexpr uint32_t kFragmentWords = sizeof(FragmentWords) / sizeof(uint32_t);

}  // namespace vgpu
