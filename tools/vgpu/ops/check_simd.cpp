// The loops of the checkers that run for every memory instruction; check/kernels.h says what they work on.
//
// They are written without branches on the cells so that the compiler turns them into vector code, and answer
// a single question for a whole run of lanes: is everything plainly in order? Only where it is not does the
// caller look closely.
#include <immintrin.h>

#include "check/kernels.h"

namespace vgpu::VGPU_ISA {
namespace {

using check::CellContext;
using check::Cells;
using check::Run;
using check::ShadowMap;
using check::Span;

// Signed compares are one instruction and cells are never negative.
using Cell = int64_t;

// Has none of the eight bytes the value 0? Carries may only make it say no of a byte above a zero.
inline bool no_zero_byte(uint64_t bytes) {
  constexpr uint64_t kOnes = 0x0101010101010101ull;
  return ((bytes - kOnes) & ~bytes & (kOnes << 7)) == 0;
}

inline bool all_written(const uint8_t* shadow, uint64_t count) {
  __m256i missing = _mm256_setzero_si256();
  for (; count >= 32; count -= 32, shadow += 32) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(shadow));
    missing = _mm256_or_si256(missing, _mm256_cmpeq_epi8(bytes, _mm256_setzero_si256()));
  }
  bool written = _mm256_movemask_epi8(missing) == 0;
  for (; count >= 8; count -= 8, shadow += 8) {
    uint64_t bytes;
    __builtin_memcpy(&bytes, shadow, 8);
    written &= no_zero_byte(bytes);
  }
  if (count == 4) {
    uint32_t bytes;
    __builtin_memcpy(&bytes, shadow, 4);
    return written & no_zero_byte(uint64_t{bytes} << 32 | 0xFFFFFFFFu);
  }
  for (; count != 0; --count, ++shadow) written &= *shadow != 0;
  return written;
}

uint32_t unwritten_runs(const ShadowMap& map, const uint64_t* address, const Run* runs, uint32_t count,
                        uint32_t bytes) {
  uint32_t unwritten = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const uint64_t offset = address[runs[i].lane] - map.begin;
    const uint64_t length = uint64_t{bytes} * (runs[i].same ? 1 : runs[i].lanes);
    if (offset < map.size) unwritten |= static_cast<uint32_t>(!all_written(map.shadow + offset, length)) << i;
  }
  return unwritten;
}

uint32_t find_runs(const uint64_t* address, uint32_t mask, uint32_t bytes, Run* runs) {
  uint32_t equal = 0, next = 0;  // bit i: lane i + 1 has the address of lane i, or the one behind it
  const __m256i step = _mm256_set1_epi64x(bytes);
  for (int i = 0; i < 28; i += 4) {
    const __m256i here = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(address + i));
    const __m256i there = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(address + i + 1));
    const __m256i same = _mm256_cmpeq_epi64(here, there);
    const __m256i follows = _mm256_cmpeq_epi64(_mm256_add_epi64(here, step), there);
    equal |= static_cast<uint32_t>(_mm256_movemask_pd(_mm256_castsi256_pd(same))) << i;
    next |= static_cast<uint32_t>(_mm256_movemask_pd(_mm256_castsi256_pd(follows))) << i;
  }
  for (int i = 28; i < 31; ++i) {
    equal |= static_cast<uint32_t>(address[i] == address[i + 1]) << i;
    next |= static_cast<uint32_t>(address[i] + bytes == address[i + 1]) << i;
  }
  const uint32_t both = mask & mask >> 1;
  equal &= both;
  next &= both;
  uint32_t count = 0;
  if ((equal | next) == 0) {
    for (; mask != 0; mask &= mask - 1)
      runs[count++] = Run{static_cast<uint8_t>(__builtin_ctz(mask)), 1, false};
    return count;
  }
  while (mask != 0) {
    const uint32_t lane = static_cast<uint32_t>(__builtin_ctz(mask));
    const bool same = equal >> lane & 1;
    const uint32_t links = (same ? equal : next) >> lane;
    const uint32_t lanes = 1 + static_cast<uint32_t>(__builtin_ctzll(~static_cast<uint64_t>(links)));
    runs[count++] = Run{static_cast<uint8_t>(lane), static_cast<uint8_t>(lanes), same};
    mask &= ~static_cast<uint32_t>(((1ull << lanes) - 1) << lane);
  }
  return count;
}

// CellContext::me for the lane of word j.
inline Cell thread_at(Cell me, uint32_t j, uint32_t shift) {
  return me + (static_cast<Cell>(j >> shift) << check::kLaneShift);
}

inline Cell first_thread(const CellContext& c, const Span& span) {
  return static_cast<Cell>(c.me) + (static_cast<Cell>(span.lane) << check::kLaneShift);
}

// The other one where several lanes access the same words; the reader that cells remember.
inline Cell further_thread(const CellContext& c, const Span& span) {
  return first_thread(c, span) + (static_cast<Cell>(span.further) << check::kLaneShift);
}

// Is the write cell `old` before an access by the thread in `mine`? No branches.
inline bool write_is_past(Cell old, Cell mine, const CellContext& c) {
  constexpr Cell kOwn = static_cast<Cell>(check::kThreadMask | check::kInFlight);
  constexpr Cell kOwnWarp = static_cast<Cell>(check::kBlockMask | check::kWarpMask);
  const Cell x = old ^ mine;
  const bool ordered = old < static_cast<Cell>(c.limit);
  const bool block =
      ((x & static_cast<Cell>(check::kBlockMask)) == 0) & (old < static_cast<Cell>(c.block_limit));
  const bool whole_warp = (old & Cell{check::kUnknownLane}) != 0;
  const bool warp = ((x & kOwnWarp) == 0) & ((old < static_cast<Cell>(c.warp_limit)) | whole_warp);
  const bool own = (x & kOwn) == 0;
  return ordered | block | warp | own;
}

inline bool read_is_past(Cell old, Cell mine, const CellContext& c) {
  constexpr Cell kSeveral =
      static_cast<Cell>(check::kSeveralLanes | check::kSeveralWarps | check::kSeveralBlocks);
  constexpr Cell kBeyondWarp = static_cast<Cell>(check::kSeveralWarps | check::kSeveralBlocks);
  constexpr Cell kOwn = static_cast<Cell>(check::kThreadMask) | kSeveral;
  constexpr Cell kOwnWarp = static_cast<Cell>(check::kBlockMask | check::kWarpMask) | kBeyondWarp;
  constexpr Cell kOwnBlock = static_cast<Cell>(check::kBlockMask | check::kSeveralBlocks);
  const Cell x = old ^ mine;
  const bool ordered = old < static_cast<Cell>(c.limit);
  const bool block = ((x & kOwnBlock) == 0) & (old < static_cast<Cell>(c.block_limit));
  const bool warp = ((x & kOwnWarp) == 0) & (old < static_cast<Cell>(c.warp_limit));
  const bool own = (x & kOwn) == 0;
  return ordered | block | warp | own;
}

// What the read cell becomes: the reader, with flags for other readers that a later writer must respect too.
inline Cell read_by(Cell old, Cell mine, const CellContext& c) {
  const Cell x = old ^ mine;
  const Cell lanes = (x & static_cast<Cell>(check::kLaneMask)) != 0 ? static_cast<Cell>(check::kSeveralLanes)
                                                                    : old & Cell{check::kSeveralLanes};
  const Cell in_warp =
      (old & Cell{check::kSeveralWarps}) | (old < static_cast<Cell>(c.warp_limit) ? 0 : lanes);
  const Cell warps =
      (x & static_cast<Cell>(check::kWarpMask)) != 0 ? static_cast<Cell>(check::kSeveralWarps) : in_warp;
  // A foreign reader that we know of (grid sync, an atomic counter) is no other reader any more.
  const Cell foreign = old < static_cast<Cell>(c.known_limit) ? 0 : static_cast<Cell>(check::kSeveralBlocks);
  const Cell in_block = (old & foreign) | (old < static_cast<Cell>(c.block_limit) ? 0 : warps);
  const Cell flags = (x & static_cast<Cell>(check::kBlockMask)) != 0 ? foreign : in_block;
  const Cell kept = old < static_cast<Cell>(c.limit) ? 0 : flags;
  // Where other readers count as well, only the bytes that they read can be told to be shared.
  const Cell bytes = kept != 0 ? ~static_cast<Cell>(check::kBytesMask) | old : ~Cell{0};
  return (mine & bytes) | kept;
}

// Are other readers that a later writer must respect on record already, as many as a cell can tell? Then one
// reader more adds nothing.
inline bool is_settled(Cell old, const CellContext& c) {
  const Cell x = old ^ static_cast<Cell>(c.me);
  constexpr Cell kBlock = static_cast<Cell>(check::kBlockMask);
  constexpr Cell kWarp = kBlock | static_cast<Cell>(check::kWarpMask);
  if ((old & Cell{check::kSeveralBlocks}) != 0) return old >= static_cast<Cell>(c.limit);
  if ((old & Cell{check::kSeveralWarps}) != 0) {
    return old >= static_cast<Cell>(c.block_limit) && (x & kBlock) == 0;
  }
  return (old & Cell{check::kSeveralLanes}) != 0 && old >= static_cast<Cell>(c.warp_limit) &&
         (x & kWarp) == 0;
}

// What a cell has to agree in for being our own read of before.
constexpr uint64_t kSameReader = check::kThreadMask | check::kSeveralLanes | check::kSeveralWarps |
                                 check::kSeveralBlocks | check::kBytesMask;

// What the cells of a whole span have in common, for quick answers. The sign of `a - b` is `a < b`, which is
// why cells are never negative. Only whole groups of four are looked at.
struct Summary {
  bool writes_past;     // every write is before the limit
  bool settled;         // is_settled() for every read, all for the same reason
  bool of_other_warps;  // every read is by another warp of this block, or several, since the block's limit
};

inline Summary summary_of(const Cells& cells, const CellContext& c, const Span& span) {
  const uint64_t* writes = cells.writes + span.first;
  const uint64_t* reads = cells.reads + span.first;
  const uint32_t words = span.words;
  const __m256i limit = _mm256_set1_epi64x(static_cast<Cell>(c.limit));
  const __m256i block_limit = _mm256_set1_epi64x(static_cast<Cell>(c.block_limit));
  const __m256i warp_limit = _mm256_set1_epi64x(static_cast<Cell>(c.warp_limit));
  const Cell first = further_thread(c, span);
  __m256i mine = _mm256_setr_epi64x(first, thread_at(first, 1, span.shift), thread_at(first, 2, span.shift),
                                    thread_at(first, 3, span.shift));
  const __m256i four_words = _mm256_set1_epi64x(thread_at(0, 4, span.shift));
  const __m256i warp_bits = _mm256_set1_epi64x(static_cast<Cell>(check::kWarpMask | check::kSeveralWarps));
  __m256i past = _mm256_set1_epi64x(-1), common = past;
  __m256i early = _mm256_setzero_si256(), early_in_block = early, early_in_warp = early, foreign = early;
  __m256i own = early;
  for (uint32_t j = 0; j + 4 <= words; j += 4) {
    const __m256i write = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(writes + j));
    const __m256i read = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(reads + j));
    const __m256i x = _mm256_xor_si256(read, mine);
    mine = _mm256_add_epi64(mine, four_words);
    past = _mm256_and_si256(past, _mm256_sub_epi64(write, limit));
    early = _mm256_or_si256(early, _mm256_sub_epi64(read, limit));
    early_in_block = _mm256_or_si256(early_in_block, _mm256_sub_epi64(read, block_limit));
    early_in_warp = _mm256_or_si256(early_in_warp, _mm256_sub_epi64(read, warp_limit));
    common = _mm256_and_si256(common, read);
    foreign = _mm256_or_si256(foreign, x);
    own = _mm256_or_si256(own, _mm256_cmpeq_epi64(_mm256_and_si256(x, warp_bits), _mm256_setzero_si256()));
  }
  const auto signs = [](__m256i value) { return _mm256_movemask_pd(_mm256_castsi256_pd(value)); };
  const auto none_foreign = [&](uint64_t bits) {
    return _mm256_testz_si256(foreign, _mm256_set1_epi64x(static_cast<Cell>(bits))) != 0;
  };
  const auto all_have = [&](uint64_t bits) {
    return _mm256_testc_si256(common, _mm256_set1_epi64x(static_cast<Cell>(bits))) != 0;
  };
  const bool in_block = signs(early_in_block) == 0 && none_foreign(check::kBlockMask);
  Summary s;
  s.writes_past = signs(past) == 15;
  s.settled = (all_have(check::kSeveralBlocks) && signs(early) == 0) ||
              (all_have(check::kSeveralWarps) && in_block) ||
              (all_have(check::kSeveralLanes) && signs(early_in_warp) == 0 &&
               none_foreign(check::kBlockMask | check::kWarpMask)) ||
              (signs(early_in_warp) == 0 && span.further == 0 && none_foreign(kSameReader));
  s.of_other_warps = in_block && none_foreign(check::kSeveralBlocks) && all_have(check::kBytesMask) &&
                     _mm256_testz_si256(own, own) != 0;
  return s;
}

// Have all words been neither written nor read since the limit?
inline bool all_past(const Cells& cells, const CellContext& c, const Span& span) {
  const Cell* writes = reinterpret_cast<const Cell*>(cells.writes + span.first);
  const Cell* reads = reinterpret_cast<const Cell*>(cells.reads + span.first);
  const Cell limit = static_cast<Cell>(c.limit);
  const uint32_t words = span.words;
  Cell past = -1;
  for (uint32_t j = 0; j < words; ++j) past &= (writes[j] - limit) & (reads[j] - limit);
  return past < 0;
}

// One word, as most spans of scattered or uniform accesses are.
inline bool read_word(const Cells& cells, const CellContext& c, const Span& span) {
  const Cell written = static_cast<Cell>(cells.writes[span.first]);
  uint64_t& cell = cells.reads[span.first];
  if (written < static_cast<Cell>(c.limit) && is_settled(static_cast<Cell>(cell), c)) return true;
  const Cell mine = further_thread(c, span);
  const Cell several = span.further != 0 ? static_cast<Cell>(check::kSeveralLanes) : 0;
  cell = static_cast<uint64_t>(read_by(static_cast<Cell>(cell), mine, c) | several);
  cells.read_pcs[span.first] = c.pc;
  return write_is_past(written, mine, c) && write_is_past(written, first_thread(c, span), c);
}

// Any number of words, whatever their cells say.
bool read_words(const Cells& cells, const CellContext& c, const Span& span) {
  const Cell* __restrict writes = reinterpret_cast<const Cell*>(cells.writes + span.first);
  Cell* __restrict reads = reinterpret_cast<Cell*>(cells.reads + span.first);
  uint32_t* __restrict pcs = cells.read_pcs + span.first;
  const CellContext context = c;
  const Cell me = further_thread(c, span);
  const uint32_t words = span.words, shift = span.shift;
  const Cell several = span.further != 0 ? static_cast<Cell>(check::kSeveralLanes) : 0;
  const Cell before = me - first_thread(c, span);
  Cell bad = 0;
  for (uint32_t j = 0; j < words; ++j) {
    const Cell mine = thread_at(me, j, shift);
    bad |= write_is_past(writes[j], mine, context) ? 0 : 1;
    bad |= write_is_past(writes[j], mine - before, context) ? 0 : 1;
    reads[j] = read_by(reads[j], mine, context) | several;
  }
  for (uint32_t j = 0; j < words; ++j) pcs[j] = context.pc;
  return bad == 0;
}

// Makes us the last reader of every word, `flags` telling of others.
void set_reads(const Cells& cells, const CellContext& c, const Span& span, uint64_t flags) {
  Cell* __restrict reads = reinterpret_cast<Cell*>(cells.reads + span.first);
  uint32_t* __restrict pcs = cells.read_pcs + span.first;
  const Cell me = further_thread(c, span) | static_cast<Cell>(flags);
  const uint32_t words = span.words, shift = span.shift, pc = c.pc;
  for (uint32_t j = 0; j < words; ++j) reads[j] = thread_at(me, j, shift);
  for (uint32_t j = 0; j < words; ++j) pcs[j] = pc;
}

inline bool read_span(const Cells& cells, const CellContext& c, const Span& span) {
  if (span.words == 1) return read_word(cells, c, span);
  if (span.words % 4 != 0) return read_words(cells, c, span);
  const Summary summary = summary_of(cells, c, span);
  if (!summary.writes_past) return read_words(cells, c, span);
  if (summary.settled) return true;
  if (summary.of_other_warps) {
    set_reads(cells, c, span, check::kSeveralWarps);
  } else if (all_past(cells, c, span)) {
    set_reads(cells, c, span, span.further != 0 ? check::kSeveralLanes : 0);
  } else {
    return read_words(cells, c, span);
  }
  return true;
}

bool may_write(const Cells& cells, const CellContext& c, const Span& span) {
  if (all_past(cells, c, span)) return true;
  const Cell* __restrict writes = reinterpret_cast<const Cell*>(cells.writes + span.first);
  const Cell* __restrict reads = reinterpret_cast<const Cell*>(cells.reads + span.first);
  const CellContext context = c;
  const Cell me = further_thread(c, span);
  const uint32_t words = span.words, shift = span.shift;
  const Cell before = me - first_thread(c, span);
  Cell bad = 0;
  for (uint32_t j = 0; j < words; ++j) {
    const Cell mine = thread_at(me, j, shift), first = mine - before;
    bad |= write_is_past(writes[j], mine, context) && write_is_past(writes[j], first, context) ? 0 : 1;
    bad |= read_is_past(reads[j], mine, context) && read_is_past(reads[j], first, context) ? 0 : 1;
  }
  return bad == 0;
}

// A write makes older readers uninteresting: who conflicts with them conflicts with the write.
void write_span(const Cells& cells, const CellContext& c, const Span& span) {
  Cell* __restrict writes = reinterpret_cast<Cell*>(cells.writes + span.first);
  uint64_t* __restrict reads = cells.reads + span.first;
  uint32_t* __restrict pcs = cells.write_pcs + span.first;
  const Cell me = first_thread(c, span) | (span.further != 0 ? static_cast<Cell>(check::kUnknownLane) : 0);
  const uint32_t words = span.words, shift = span.shift, pc = c.pc;
  for (uint32_t j = 0; j < words; ++j) writes[j] = thread_at(me, j, shift);
  for (uint32_t j = 0; j < words; ++j) reads[j] = 0;
  for (uint32_t j = 0; j < words; ++j) pcs[j] = pc;
}

uint32_t read_spans(const Cells& cells, const CellContext& context, const Span* spans, uint32_t count) {
  uint32_t doubtful = 0;
  for (uint32_t i = 0; i < count; ++i) {
    doubtful |= static_cast<uint32_t>(!read_span(cells, context, spans[i])) << i;
  }
  return doubtful;
}

uint32_t doubt_writes(const Cells& cells, const CellContext& context, const Span* spans, uint32_t count) {
  uint32_t doubtful = 0;
  for (uint32_t i = 0; i < count; ++i) {
    doubtful |= static_cast<uint32_t>(!may_write(cells, context, spans[i])) << i;
  }
  return doubtful;
}

void write_spans(const Cells& cells, const CellContext& context, const Span* spans, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) write_span(cells, context, spans[i]);
}

}  // namespace

extern const check::Kernels kCheckKernels;
const check::Kernels kCheckKernels = {unwritten_runs, find_runs, read_spans, doubt_writes, write_spans};

}  // namespace vgpu::VGPU_ISA
