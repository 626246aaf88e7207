// Counting; counters.h says what. The usual patterns (all lanes equal, all lanes side by side) are computed
// directly.
#include "check/counters.h"

#include <algorithm>

#include "core/report.h"

namespace vgpu::check {
namespace {

constexpr uint32_t kSector = 32, kBanks = 32, kBankBytes = 4;

// How many different values there are. They mostly come in order.
uint32_t count_distinct(uint64_t* values, uint32_t count) {
  bool sorted = true;
  for (uint32_t i = 1; i < count; ++i) sorted = sorted && values[i - 1] <= values[i];
  if (!sorted) std::sort(values, values + count);
  return static_cast<uint32_t>(std::unique(values, values + count) - values);
}

// Passes of one part of a warp: the largest number of different units that fall to the same place. A unit is
// what a lane asks for, at least a word; `units_a_row` of them fill all banks once.
uint32_t passes_of_part(const Access& access, uint32_t mask, uint32_t unit, uint32_t units_a_row) {
  const int shift = __builtin_ctz(unit);
  uint64_t seen[kBanks][kLanes];
  uint8_t used[kBanks] = {};
  uint32_t most = 0;
  VGPU_FOR_LANES(mask, lane) {
    const uint64_t number = access.address[lane] >> shift;
    const uint32_t place = static_cast<uint32_t>(number) & (units_a_row - 1);
    uint32_t i = 0;
    while (i < used[place] && seen[place][i] != number) ++i;
    if (i < used[place]) continue;
    seen[place][i] = number;
    ++used[place];
    most = std::max<uint32_t>(most, used[place]);
  }
  return most;
}

// Does every active lane of the part ask for the same as its partner, lane ^ distance, where that one is
// active?
bool all_paired(const Access& access, uint32_t mask, uint32_t distance) {
  VGPU_FOR_LANES(mask, lane) {
    const uint32_t partner = lane ^ distance;
    if ((mask >> partner & 1) != 0 && access.address[lane] != access.address[partner]) return false;
  }
  return true;
}

size_t kind_index(AccessKind kind) {
  if (kind == AccessKind::Atomic) return 2;
  return kind == AccessKind::Store || kind == AccessKind::AsyncCopyWrite ? 1 : 0;
}

}  // namespace

uint32_t sectors_of(const Access& access) {
  const uint32_t first = static_cast<uint32_t>(__builtin_ctz(access.mask));
  const uint64_t begin = access.address[first];
  if (access.pattern == Pattern::Uniform) {
    return static_cast<uint32_t>((begin + access.bytes - 1) / kSector - begin / kSector + 1);
  }
  if (access.pattern == Pattern::Contiguous) {
    const uint64_t last = access.address[0] + uint64_t{access.bytes} * kLanes - 1;
    return static_cast<uint32_t>(last / kSector - access.address[0] / kSector + 1);
  }
  uint64_t sectors[2 * kLanes];  // an access is at most 32 bytes long
  uint32_t count = 0;
  VGPU_FOR_LANES(access.mask, lane) {
    const uint64_t low = access.address[lane] / kSector;
    const uint64_t high = (access.address[lane] + access.bytes - 1) / kSector;
    if (count == 0 || sectors[count - 1] != low) sectors[count++] = low;
    if (high != low) sectors[count++] = high;
  }
  return count_distinct(sectors, count);
}

uint32_t passes_of(const Access& access, const LaneRuns& lanes) {
  // One word for all lanes, or a row of at most one a bank: most accesses.
  if (access.pattern != Pattern::General && access.bytes <= kBankBytes) return 1;
  const uint32_t unit = std::max<uint32_t>(access.bytes, kBankBytes);
  const uint32_t lanes_a_part = std::min(kLanes, kBanks * kBankBytes / unit);
  // Two neighbouring parts are served as one where lanes are paired (see the header).
  const uint32_t joined = std::min(kLanes, 2 * lanes_a_part);
  const uint32_t parts = joined / lanes_a_part;
  uint32_t passes = 0, run = 0;
  for (uint32_t lane = 0; lane < kLanes; lane += joined) {
    while (run + 1 < lanes.count && lanes.runs[run + 1].lane <= lane) ++run;
    const Run& here = lanes.runs[run];
    const bool uniform = access.pattern == Pattern::Uniform;
    if (!uniform && here.lane <= lane && here.lane + here.lanes >= lane + joined) {
      passes += here.same ? 1 : parts;  // contiguous lanes find all banks different
      continue;
    }
    const uint32_t window = static_cast<uint32_t>(((1ull << joined) - 1) << lane);
    const uint32_t mask = access.mask & window;
    if (uniform) {
      passes += mask != 0;
    } else if (parts == 1 || all_paired(access, mask, 1) || all_paired(access, mask, 2)) {
      passes += passes_of_part(access, mask, unit, lanes_a_part);
    } else {
      const uint32_t low = static_cast<uint32_t>(((1ull << lanes_a_part) - 1) << lane);
      passes += passes_of_part(access, mask & low, unit, lanes_a_part);
      passes += passes_of_part(access, mask & ~low, unit, lanes_a_part);
    }
  }
  return passes;
}

void Counters::begin_launch(Launch& launch) {
  const size_t size = launch.program->code.size();
  engine_ = std::make_unique<KernelCounters>();
  engine_->executed.assign(size, 0);
  engine_->lanes.assign(size, 0);
  events_.assign(size, MemoryEvents{});
  launch.counters = engine_.get();
  const auto [entry, is_new] = kernels_.try_emplace(launch.kernel);
  current_ = &entry->second;
  if (is_new) {
    current_->mangled = std::string(launch.kernel->name);
    current_->name = demangle(launch.kernel->name);
    order_.push_back(launch.kernel);
  }
  ++current_->launches;
  current_->blocks += launch.grid.count();
  current_->threads += launch.grid.count() * launch.block.count();
}

void Counters::end_launch(Launch& launch) {
  fold(launch);
  launch.counters = nullptr;
  engine_.reset();
  current_->global_read += global_read_.count();
  current_->global_written += global_written_.count();
  current_->shared += shared_.count();
  current_->local += local_.count();
  global_read_.clear();
  global_written_.clear();
  shared_.clear();
  local_.clear();
  current_ = nullptr;
}

// Texts are copied: at the end of the process the program may be gone.
void Counters::fold(const Launch& launch) {
  const Program& program = *launch.program;
  for (uint32_t pc = 0; pc < engine_->executed.size(); ++pc) {
    const MemoryEvents& events = events_[pc];
    if (engine_->executed[pc] == 0 && events.requests == 0 && events.mma_flops == 0) continue;
    const auto [entry, is_new] = current_->instructions.try_emplace(pc);
    InstructionTotals& totals = entry->second;
    const uint32_t source = program.code[pc].source;
    const ptx::Instruction* instruction =
        source < program.sources.size() ? program.sources[source].instruction : nullptr;
    if (is_new && instruction != nullptr) {
      totals.text = std::string(instruction->text);
      totals.place = place(*program.module, *instruction);
      totals.facts = classify(*instruction);
      if (instruction->location >= 0) {
        const ptx::Location& location = program.module->locations[static_cast<size_t>(instruction->location)];
        totals.line = location.line;
        const size_t file = static_cast<size_t>(location.file);
        if (file < program.module->files.size()) totals.file = program.module->files[file];
      }
    }
    totals.executed += engine_->executed[pc];
    totals.lanes += engine_->lanes[pc];
    totals.requests += events.requests;
    totals.bytes += events.bytes;
    totals.sectors += events.sectors;
    totals.passes += events.passes;
    totals.mma_flops += events.mma_flops;
    totals.divergent += events.divergent;
  }
}

void Counters::access(const Warp& warp, const Access& access, const LaneRuns& lanes, uint32_t pc) {
  if (access.kind == AccessKind::AsyncCopyIssue) return;
  const size_t kind = kind_index(access.kind);
  const uint64_t bytes =
      uint64_t{access.bytes} *
      (access.mask == ~0u ? kLanes : static_cast<uint32_t>(__builtin_popcount(access.mask)));
  uint64_t sectors = 0, passes = 0;
  switch (access.space) {
    case ptx::Space::Global:
      sectors = sectors_of(access);
      if (kind != 1) add_access(global_read_, access, lanes, 0);
      if (kind != 0) add_access(global_written_, access, lanes, 0);
      break;
    case ptx::Space::Shared:
      passes = passes_of(access, lanes);
      add_access(shared_, access, lanes, reinterpret_cast<uint64_t>(warp.block->shared));
      break;
    case ptx::Space::Local:
      add_access(local_, access, lanes, reinterpret_cast<uint64_t>(warp.block->local));
      break;
    default:
      break;
  }
  SpaceTotals& totals = current_->spaces[static_cast<size_t>(access.space)];
  ++totals.requests[kind];
  totals.bytes[kind] += bytes;
  totals.sectors[kind] += sectors;
  totals.passes[kind] += passes;
  MemoryEvents& events = events_[pc];
  ++events.requests;
  events.bytes += bytes;
  events.sectors += sectors;
  events.passes += passes;
}

void Counters::mma(uint64_t flops, uint32_t pc) {
  ++current_->mma_operations;
  current_->mma_flops += flops;
  events_[pc].mma_flops += flops;
}

void Counters::branch(bool diverged, uint32_t pc) {
  ++current_->branches;
  current_->divergent_branches += diverged;
  events_[pc].divergent += diverged;
}

std::vector<const KernelTotals*> Counters::in_order() const {
  std::vector<const KernelTotals*> list;
  for (const FunctionCode* kernel : order_) list.push_back(&kernels_.at(kernel));
  return list;
}

}  // namespace vgpu::check
