// The checkers' inner loops, compiled once per instruction set (ops/check_simd.cpp).
//
// Race cells. Every 4-byte word of shared or global memory has two 64-bit cells, its last write and its last
// read:
//   63..35 time   events of the race checker's clock, growing through the whole process
//   34..17 block  low bits of the linear block index
//   16..12 warp   11..7 lane
//    6..4  flags  write: strong, in flight, unknown lane; read: several lanes / warps / blocks have read
//    since the last ordering 3..0  bytes  which bytes of the word
// so that "before everything that happens now" is one compare against a limit. Next to each cell stands the
// pc. This header is included by files compiled for a particular instruction set: plain data only.
#pragma once

#include <cstdint>

namespace vgpu::check {

inline constexpr int kTimeShift = 35, kBlockShift = 17, kWarpShift = 12, kLaneShift = 7;
inline constexpr uint64_t kBlockMask = 0x3FFFFull << kBlockShift;
inline constexpr uint64_t kWarpMask = 31ull << kWarpShift;
inline constexpr uint64_t kLaneMask = 31ull << kLaneShift;
inline constexpr uint64_t kThreadMask = kBlockMask | kWarpMask | kLaneMask;
inline constexpr uint64_t kBytesMask = 15;
// Writes. Unknown lane: several lanes wrote by one instruction, which of them came last nobody can tell.
inline constexpr uint64_t kStrong = 1 << 4, kInFlight = 1 << 5, kUnknownLane = 1 << 6;
// Reads.
inline constexpr uint64_t kSeveralLanes = 1 << 4, kSeveralWarps = 1 << 5, kSeveralBlocks = 1 << 6;
inline constexpr uint64_t kLatestTime = (1ull << 28) - 1;  // in flight: after everything; cells stay positive

struct Cells {
  uint64_t* writes = nullptr;
  uint64_t* reads = nullptr;
  uint32_t* write_pcs = nullptr;
  uint32_t* read_pcs = nullptr;
};

// Who accesses, and which cells lie safely in the past.
struct CellContext {
  uint64_t me = 0;           // time, block, warp, lane 0, no flags, all four bytes
  uint64_t limit = 0;        // smaller cells: before this launch, or before this block's last barrier
  uint64_t block_limit = 0;  // smaller cells of the same block are ordered before us
  uint64_t known_limit = 0;  // smaller cells of other blocks were published to us
  uint64_t warp_limit = 0;   // smaller cells of the same warp are ordered before us
  uint32_t pc = 0;
};

// Lanes whose addresses are equal, or follow one another without gap. No initialisers here and below: arrays
// of 32 are made for every access.
struct Run {
  uint8_t lane;  // the first
  uint8_t lanes;
  bool same;  // equal addresses; a run of one lane is not `same`
};

// Words [first, first + words) of a run: word j belongs to lane + (j >> shift) and, where several lanes
// access every word, to the lane that many further on, too.
struct Span {
  uint64_t first;
  uint32_t words;
  uint32_t lane;
  uint32_t shift;
  uint32_t further;  // 0: to that lane alone
};

// Where the shadow of addresses [begin, begin + size) stands; others have none and count as written.
struct ShadowMap {
  uint64_t begin;
  uint64_t size;
  uint8_t* shadow;
};

struct Kernels {
  // Bit i: run i of accesses of `bytes` each reads a byte whose shadow is 0.
  uint32_t (*unwritten_runs)(const ShadowMap& map, const uint64_t* address, const Run* runs, uint32_t count,
                             uint32_t bytes);
  // Splits the lanes of `mask` into runs of accesses of `bytes` each; returns how many.
  uint32_t (*find_runs)(const uint64_t* address, uint32_t mask, uint32_t bytes, Run* runs);
  // Notes reads of at most 32 spans; bit i: some word's last write is not plainly ordered before the read of
  // span i.
  uint32_t (*read_spans)(const Cells& cells, const CellContext& context, const Span* spans, uint32_t count);
  // Bit i: some word's last write or read is not plainly ordered before a write of span i now. Changes
  // nothing.
  uint32_t (*doubt_writes)(const Cells& cells, const CellContext& context, const Span* spans, uint32_t count);
  void (*write_spans)(const Cells& cells, const CellContext& context, const Span* spans, uint32_t count);
};

// For the running processor.
const Kernels& kernels();

}  // namespace vgpu::check
