// Which lane holds which element of a matrix fragment, for mma.sync (PTX ISA, "Matrix Fragments for mma") and
// wmma.
//
// All of it follows from one picture. A register of 32 lanes is a tile of 8 rows, four lanes to a row: lane l
// belongs to row l / 4, and its `e` packed elements are columns (l % 4) * e ... of the tile's 4 * e. A
// fragment is a list of such tiles; B is held transposed (rows are n, columns k). Accumulators of 32 and 64
// bits take two registers for a tile of 8x8: the even columns in the first, the odd ones in the second.
// wmma's fragments, which PTX leaves open, are the natural extension: m16n16 is two m16n8 side by side, with
// copies where PTX gives a thread more registers.
#pragma once

#include "core/warp.h"

namespace vgpu {

struct TileOrigin {
  uint32_t row = 0, column = 0;
};

// A (m x k) of which a register holds `width` columns: both halves of 16 rows, then the next columns, then 16
// rows on.
VGPU_INLINE TileOrigin tile_of_a(uint32_t m, uint32_t k, uint32_t width, uint32_t reg) {
  if (m == 8) return {0, reg * width};
  const uint32_t across = k / width, pair = reg / 2;
  return {pair / across * 16 + reg % 2 * 8, pair % across * width};
}

// B transposed (n x k): along k first.
VGPU_INLINE TileOrigin tile_of_b(uint32_t k, uint32_t width, uint32_t reg) {
  const uint32_t across = k / width;
  return {reg / across * 8, reg % across * width};
}

// The accumulators' tile number `tile` (m x n, tiles of 8x8): both halves of 16 rows, then the next columns.
VGPU_INLINE TileOrigin tile_of_c(uint32_t m, uint32_t n, uint32_t tile) {
  if (m == 8) return {0, tile * 8};
  const uint32_t across = n / 8, pair = tile / 2;
  return {pair / across * 16 + tile % 2 * 8, pair % across * 8};
}

}  // namespace vgpu
