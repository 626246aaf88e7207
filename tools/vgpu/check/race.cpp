// The way of an access through the cells; race.h says what is looked for.
#include "check/race.h"

#include <sys/mman.h>

#include <algorithm>

#include "core/device_memory.h"
#include "core/report.h"

namespace vgpu::check {
namespace {

constexpr size_t kMaximumLoggedReads = 4096;

template <class T>
T* reserve(uint64_t count) {
  void* memory = mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<T*>(memory);
}

template <class T>
void release(T* memory, uint64_t count) {
  if (memory != nullptr) munmap(memory, count * sizeof(T));
}

void unmap(Cells& cells, uint64_t words) {
  release(cells.writes, words);
  release(cells.reads, words);
  release(cells.write_pcs, words);
  release(cells.read_pcs, words);
  cells = Cells{};
}

uint64_t at(uint64_t time) {
  return time << kTimeShift;
}

uint64_t with_lane(uint64_t me, uint32_t lane) {
  return me | uint64_t{lane} << kLaneShift;
}

// The words an access touches. Runs outside the cells (registered host memory) are left out.
uint32_t spans_of(const Access& access, const LaneRuns& lanes, uint64_t base, uint64_t extent, Span* out) {
  const uint32_t words = access.bytes / 4;
  const uint32_t lane_shift = static_cast<uint32_t>(__builtin_ctz(words));
  uint32_t kept = 0;
  for (uint32_t i = 0; i < lanes.count; ++i) {
    const Run& run = lanes.runs[i];
    const uint64_t offset = access.address[run.lane] - base;
    const uint64_t bytes = lanes.bytes(i, access);
    if (offset >= extent || bytes > extent - offset) continue;
    const uint32_t length = static_cast<uint32_t>(bytes / 4);
    if (kept != 0 && out[kept - 1].first == offset / 4 && out[kept - 1].words == length) {
      // The same words again, as where both half-warps read one row.
      out[kept - 1].further = run.lane - out[kept - 1].lane;
      continue;
    }
    const uint32_t further = run.same ? run.lanes - 1u : 0u;
    out[kept++] = Span{offset / 4, length, run.lane, run.same ? 31 : lane_shift, further};
  }
  return kept;
}

uint64_t extent_of_shared(const Block& block) {
  return (uint64_t{block.launch->shared_bytes} + 3) & ~3ull;
}

// The bytes of its word that an access of less than a word touches.
uint64_t byte_mask(uint64_t address, uint32_t bytes) {
  return ((1ull << bytes) - 1) << (address & 3) & kBytesMask;
}

bool has_modifier(const Warp& warp, const Inst& inst, std::string_view modifier) {
  const std::vector<Source>& sources = warp.block->launch->program->sources;
  if (inst.source >= sources.size() || sources[inst.source].instruction == nullptr) return false;
  return sources[inst.source].instruction->has(modifier);
}

// Does the access publish by itself what its warp did before?
bool is_release(const Warp& warp, const Inst& inst) {
  const std::vector<Source>& sources = warp.block->launch->program->sources;
  if (inst.source >= sources.size() || sources[inst.source].instruction == nullptr) return false;
  const ptx::Instruction& source = *sources[inst.source].instruction;
  if (source.opcode == "cp") return source.has("mbarrier");
  if (source.opcode == "mbarrier") return !source.has("test_wait") && !source.has("try_wait");
  return source.has("release") || source.has("acq_rel");
}

}  // namespace

Race::Race(uint32_t checks) : checks_(checks) {
  arena_ = DeviceMemory::instance().arena();
  arena_size_ = DeviceMemory::instance().arena_size();
  map_global_cells();
}

Race::~Race() {
  unmap(global_, arena_size_ / 4);
  for (BlockShadow* shadow : free_) delete shadow;
}

void Race::map_global_cells() {
  if ((checks_ & static_cast<uint32_t>(Check::Race)) == 0) return;  // cp.async works in shared memory alone
  const uint64_t words = arena_size_ / 4;
  global_.writes = reserve<uint64_t>(words);
  global_.reads = reserve<uint64_t>(words);
  global_.write_pcs = reserve<uint32_t>(words);
  global_.read_pcs = reserve<uint32_t>(words);
  if (global_.writes != nullptr && global_.reads != nullptr && global_.write_pcs != nullptr &&
      global_.read_pcs != nullptr) {
    return;
  }
  unmap(global_, arena_size_ / 4);
  report_line("races in global memory are not checked: no address space for the checker (ulimit -v?)");
}

void Race::begin_launch() {
  if (!clock_.begin_launch()) return;
  unmap(global_, arena_size_ / 4);
  map_global_cells();
  for (BlockShadow* shadow : free_) delete shadow;
  free_.clear();
}

void Race::end_launch() {
  doubtful_.clear();  // of blocks that a fault has ended
}

void Race::block_begin(Block& block) {
  if (free_.empty()) free_.push_back(new BlockShadow);
  BlockShadow& shadow = *free_.back();
  free_.pop_back();
  block.race = &shadow;
  // Cells of earlier blocks are older than this one's beginning; only marks of cp.async have no age.
  const uint64_t words = block.launch->shared_bytes / 4 + 4;
  if (shadow.storage.size() < 3 * words || shadow.copies) shadow.storage.assign(3 * words, 0);
  shadow.copies = false;
  shadow.cells.writes = shadow.storage.data();
  shadow.cells.reads = shadow.cells.writes + words;
  shadow.cells.write_pcs = reinterpret_cast<uint32_t*>(shadow.cells.reads + words);
  shadow.cells.read_pcs = shadow.cells.write_pcs + words;
  if (shadow.words != words) {
    std::fill(shadow.storage.begin(), shadow.storage.end(), 0);
    shadow.words = words;
  }
  clock_.begin_block(block);
}

void Race::block_end(Block& block) {
  if (block.race == nullptr) return;
  settle();
  free_.push_back(block.race);
  block.race = nullptr;
}

void Race::access(Warp& warp, const Inst& inst, const Access& access, const LaneRuns& lanes, uint32_t pc) {
  Block& block = *warp.block;
  const bool shared = access.space == ptx::Space::Shared;
  if (access.mask == 0 || (!shared && (access.space != ptx::Space::Global || global_.writes == nullptr)))
    return;
  BlockShadow& shadow = *block.race;
  const bool is_read = access.kind == AccessKind::Load || access.kind == AccessKind::AsyncCopyRead;
  const bool logged = shared && is_read && !shadow.written && !access.strong && access.bytes >= 4;
  if (logged && shadow.reads.size() < kMaximumLoggedReads) {
    log_reads(shadow, warp, access, lanes, pc);
    return;
  }
  Request request{warp,
                  inst,
                  access,
                  lanes,
                  shared ? shadow.cells : global_,
                  shared ? reinterpret_cast<uint64_t>(block.shared) : arena_,
                  shared ? extent_of_shared(block) : arena_size_,
                  {},
                  shared ? &shadow : nullptr};
  CellContext& context = request.context;
  context.me = me(shadow, warp);
  context.block_limit = at(shadow.met);
  context.limit = shared ? context.block_limit : at(clock_.launch_begin());
  context.known_limit = shared ? 0 : at(shadow.warps[warp.id].known.acquired + 1);
  context.warp_limit = at(std::max(shadow.warps[warp.id].synced, shadow.met));
  context.pc = pc;
  if (shared && !shadow.written) enter_logged_reads(request);
  if (access.strong || access.kind == AccessKind::Atomic) {
    strong(request);
  } else if (access.bytes < 4) {
    small(request, !is_read);
  } else if (is_read) {
    read(request);
  } else {
    shadow.copies |= shared && access.kind == AccessKind::AsyncCopyIssue;
    write(request);
  }
}

uint64_t Race::me(const BlockShadow& shadow, const Warp& warp) const {
  return at(clock_.now()) | shadow.block_bits | uint64_t{warp.id} << kWarpShift | kBytesMask;
}

void Race::log_reads(BlockShadow& shadow, const Warp& warp, const Access& access, const LaneRuns& lanes,
                     uint32_t pc) {
  Span list[kLanes];
  const uint64_t base = reinterpret_cast<uint64_t>(warp.block->shared);
  const uint32_t count = spans_of(access, lanes, base, extent_of_shared(*warp.block), list);
  const uint64_t limit = at(std::max(shadow.warps[warp.id].synced, shadow.met));
  for (uint32_t i = 0; i < count; ++i) shadow.reads.push_back({list[i], me(shadow, warp), limit, pc});
}

void Race::enter_logged_reads(const Request& request) {
  request.shadow->written = true;
  CellContext context = request.context;
  for (const LoggedRead& read : request.shadow->reads) {
    context.me = read.me;
    context.warp_limit = read.warp_limit;
    context.pc = read.pc;
    kernels_.read_spans(request.cells, context, &read.span, 1);
  }
  request.shadow->reads.clear();
}

void Race::read(const Request& request) {
  Span list[kLanes];
  const uint32_t count = spans_of(request.access, request.lanes, request.base, request.extent, list);
  const uint32_t doubtful = kernels_.read_spans(request.cells, request.context, list, count);
  VGPU_FOR_LANES(doubtful, i) look_closely(request, list[i], false);
}

void Race::write(const Request& request) {
  Span list[kLanes];
  const uint32_t count = spans_of(request.access, request.lanes, request.base, request.extent, list);
  const AccessKind kind = request.access.kind;
  // All checks before all marks: lanes of one instruction do not race with each other.
  if (kind != AccessKind::AsyncCopyWrite) {
    const uint32_t doubtful = kernels_.doubt_writes(request.cells, request.context, list, count);
    VGPU_FOR_LANES(doubtful, i) look_closely(request, list[i], true);
  }
  CellContext context = request.context;
  if (kind == AccessKind::AsyncCopyIssue) {
    context.me = at(kLatestTime) | (context.me & (kBlockMask | kWarpMask | kBytesMask)) | kInFlight;
  }
  kernels_.write_spans(request.cells, context, list, count);
}

// Atomics and volatile, relaxed, acquiring or releasing accesses: they do not race among themselves, and may
// order.
void Race::strong(const Request& request) {
  const Access& access = request.access;
  const bool loads = access.kind == AccessKind::Load;
  const bool stores = !loads;
  if (stores && is_release(request.warp, request.inst)) {
    clock_.fence(request.warp, !has_modifier(request.warp, request.inst, "cta"));
  }
  VGPU_FOR_LANES(access.mask, lane) {
    if (access.kind != AccessKind::Store)
      clock_.acquire(request.warp, access.space, address_of(access, lane));
  }
  const uint32_t width = access.bytes;
  VGPU_FOR_LANES(access.mask, i) {
    const uint64_t offset = address_of(access, i) - request.base;
    if (offset >= request.extent || width > request.extent - offset) continue;
    for (uint64_t word = offset / 4; word * 4 < offset + width; ++word) {
      const uint64_t bytes = width < 4 ? byte_mask(offset, width) : kBytesMask;
      look_at_word(request, word, bytes, i, stores, true);
      if (loads) continue;
      request.cells.writes[word] = with_lane(request.context.me & ~kBytesMask, i) | kStrong | bytes;
      request.cells.write_pcs[word] = request.context.pc;
      request.cells.reads[word] = 0;
    }
  }
  if (loads) return;
  VGPU_FOR_LANES(access.mask, j) clock_.publish(request.warp, access.space, address_of(access, j));
}

void Race::small(const Request& request, bool is_write) {
  const Access& access = request.access;
  for (int pass = 0; pass < 2; ++pass) {
    VGPU_FOR_LANES(access.mask, lane) {
      const uint64_t offset = address_of(access, lane) - request.base;
      if (offset >= request.extent) continue;
      const uint64_t bytes = byte_mask(offset, access.bytes);
      if (pass == 0) {
        look_at_word(request, offset / 4, bytes, lane, is_write, false);
      } else {
        mark_small(request, offset / 4, bytes, lane, is_write);
      }
    }
  }
}

// Several threads may own bytes of one word; the cell remembers the last of them, and of other readers the
// bytes only that all of them have read.
void Race::mark_small(const Request& request, uint64_t word, uint64_t bytes, uint32_t lane, bool is_write) {
  const CellContext& context = request.context;
  const uint64_t mine = with_lane(context.me & ~kBytesMask, lane);
  if (is_write) {
    uint64_t& cell = request.cells.writes[word];
    cell = (cell & ~kBytesMask) == mine ? cell | bytes : mine | bytes;
    request.cells.write_pcs[word] = context.pc;
    if ((request.cells.reads[word] & bytes) != 0) request.cells.reads[word] = 0;
    return;
  }
  uint64_t& cell = request.cells.reads[word];
  request.cells.read_pcs[word] = context.pc;
  if ((cell & ~kBytesMask) == mine) {
    cell |= bytes;
  } else if (cell < context.limit || (cell & bytes) == 0) {
    cell = mine | bytes;
  } else {
    CellContext one = context;
    one.me &= ~kBytesMask;
    const Span span{word, 1, lane, 31, 0};
    const uint64_t common = cell & bytes;
    kernels_.read_spans(request.cells, one, &span, 1);
    const bool others = (cell & (kSeveralLanes | kSeveralWarps | kSeveralBlocks)) != 0;
    cell = (cell & ~kBytesMask) | (others ? common : bytes);
  }
}

void Race::look_closely(const Request& request, const Span& span, bool is_write) {
  for (uint32_t j = 0; j < span.words; ++j) {
    const uint32_t lane = span.lane + (j >> span.shift);
    look_at_word(request, span.first + j, kBytesMask, lane, is_write, false);
    if (span.further == 0) continue;
    look_at_word(request, span.first + j, kBytesMask, lane + span.further, is_write, false);
  }
}

void Race::look_at_word(const Request& request, uint64_t word, uint64_t bytes, uint32_t lane, bool is_write,
                        bool is_strong) {
  // Cells of shared memory may still be those of another block that used the buffer before: they are below
  // the limit.
  const uint64_t limit = request.context.limit;
  const uint64_t writer = request.cells.writes[word];
  const bool both_strong = is_strong && (writer & kStrong) != 0;
  if ((writer & bytes) != 0 && writer >= limit && !both_strong &&
      !clock_.ordered_write(request.warp, lane, writer)) {
    tell(request, word, lane, is_write, true);
    return;
  }
  if (!is_write) return;
  const uint64_t reader = request.cells.reads[word];
  if ((reader & bytes) != 0 && reader >= limit && !clock_.ordered_read(request.warp, lane, reader)) {
    tell(request, word, lane, is_write, false);
  }
}

}  // namespace vgpu::check
