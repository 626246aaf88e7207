// Telling of a race: who, where, and what came before.
#include <cstring>

#include "check/race.h"
#include "core/device_memory.h"
#include "core/report.h"

namespace vgpu::check {
namespace {

constexpr size_t kMaximumDoubtful = 64;

std::string triple(uint64_t index, const Dim3& size) {
  const uint64_t row = index / size.x;
  return "(" + std::to_string(index % size.x) + "," + std::to_string(row % size.y) + "," +
         std::to_string(row / size.y) + ")";
}

}  // namespace

void Race::tell(const Request& request, uint64_t word, uint32_t lane, bool is_write, bool earlier_write) {
  const uint64_t writer = request.cells.writes[word];
  if (earlier_write && (writer & kInFlight) != 0) {
    const bool sync = (checks_ & static_cast<uint32_t>(Check::Sync)) != 0;
    const Check check = sync ? Check::Sync : Check::Race;
    if (already_found(request.inst, check)) return;
    finding(request.warp, request.inst, check, lane,
            "shared memory %s at offset %llu while a cp.async still fills it (missing cp.async.wait)",
            is_write ? "written" : "read", static_cast<unsigned long long>(word * 4));
    return;
  }
  if ((checks_ & static_cast<uint32_t>(Check::Race)) == 0 || already_found(request.inst, Check::Race)) return;
  const std::string text = describe(request, word, lane, is_write, earlier_write);
  const bool same_store = is_write && earlier_write && request.cells.write_pcs[word] == request.context.pc;
  if (!same_store) {
    finding(request.warp, request.inst, Check::Race, lane, "%s", text.c_str());
  } else if (doubtful_.size() < kMaximumDoubtful) {
    Doubtful doubtful{&request.warp, &request.inst, lane, request.base + word * 4, 0, text};
    std::memcpy(&doubtful.word, reinterpret_cast<const void*>(doubtful.address), 4);
    doubtful_.push_back(doubtful);
  }
}

void Race::settle_doubtful() {
  for (const Doubtful& doubtful : doubtful_) {
    uint32_t word = 0;
    std::memcpy(&word, reinterpret_cast<const void*>(doubtful.address), 4);
    if (word == doubtful.word) continue;
    finding(*doubtful.warp, *doubtful.inst, Check::Race, doubtful.lane, "%s", doubtful.text.c_str());
  }
  doubtful_.clear();
}

std::string Race::describe(const Request& request, uint64_t word, uint32_t lane, bool is_write,
                           bool earlier_write) const {
  const Cells& cells = request.cells;
  const uint64_t cell = earlier_write ? cells.writes[word] : cells.reads[word];
  const uint32_t pc = earlier_write ? cells.write_pcs[word] : cells.read_pcs[word];
  const Block& block = *request.warp.block;
  const Launch& launch = *block.launch;
  const auto thread = [&](uint64_t block_index, uint32_t warp, uint32_t in_warp) {
    const std::string name = "thread " + triple(uint64_t{warp} * kLanes + in_warp, launch.block);
    const bool shared = request.access.space == ptx::Space::Shared;
    return shared ? name : "block " + triple(block_index, launch.grid) + " " + name;
  };
  // A cell names one thread; others that did the same are on record as flags alone.
  const uint64_t others = earlier_write ? kUnknownLane : kSeveralLanes | kSeveralWarps | kSeveralBlocks;
  const bool several = (cell & others) != 0;
  // The cell has the low bits of the block's index; the others are taken to be the same.
  constexpr uint64_t kLow = kBlockMask >> kBlockShift;
  const uint64_t other_block = (block.linear_index & ~kLow) | (cell >> kBlockShift & kLow);
  const std::string earlier = thread(other_block, warp_of(cell), lane_of(cell));
  const std::string later = thread(block.linear_index, request.warp.id, lane);
  std::string text = std::string("race: ") + (earlier_write ? "write" : "read") + " by ";
  if (!several) {
    text += earlier;
  } else {
    text += earlier == later ? "other threads" : "several threads, among them " + earlier + ",";
  }
  text += std::string(" and ") + (is_write ? "write" : "read") + " by " + later;
  if (request.access.space == ptx::Space::Shared) {
    text += " of shared offset " + std::to_string(word * 4);
  } else {
    text += " of global memory " + DeviceMemory::instance().describe(request.base + word * 4);
  }
  const Program& program = *launch.program;
  if (pc < program.code.size() && program.code[pc].source < program.sources.size()) {
    const ptx::Instruction* source = program.sources[program.code[pc].source].instruction;
    if (source != nullptr) {
      text += std::string(several ? "; one such " : "; the ") + (earlier_write ? "write" : "read") +
              " was at " + place(*program.module, *source);
    }
  }
  return text;
}

}  // namespace vgpu::check
