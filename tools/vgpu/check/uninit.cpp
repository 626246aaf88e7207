// Marks what is written, looks at what is read; uninit.h says what is reported.
#include "check/uninit.h"

#include <cstring>
#include <string>

#include "core/device_memory.h"
#include "core/report.h"

namespace vgpu::check {
namespace {

constexpr uint64_t kPadding = 64;

const char* name_of(ptx::Space space) {
  if (space == ptx::Space::Shared) return "shared";
  return space == ptx::Space::Local ? "local" : "global";
}

bool none_written(const uint8_t* shadow, uint32_t bytes) {
  for (uint32_t i = 0; i < bytes; ++i) {
    if (shadow[i] != 0) return false;
  }
  return true;
}

std::string where(const Block& block, const Access& access, uint64_t address, uint32_t lane_offset) {
  switch (access.space) {
    case ptx::Space::Shared:
      return "at offset " + std::to_string(address - reinterpret_cast<uint64_t>(block.shared));
    case ptx::Space::Local:
      return "at offset " + std::to_string(lane_offset);
    default:
      return DeviceMemory::instance().describe(address);
  }
}

}  // namespace

Uninit::Uninit()
    : global_{DeviceMemory::instance().arena(), DeviceMemory::instance().arena_size(),
              DeviceMemory::instance().shadow(DeviceMemory::instance().arena())} {}

// One buffer a block: shared memory's shadow, then that of local memory.
void Uninit::block_begin(Block& block) {
  std::vector<uint8_t> buffer;
  if (!free_.empty()) {
    buffer.swap(free_.back());
    free_.pop_back();
  }
  const uint64_t shared = block.launch->shared_bytes + kPadding;
  const uint64_t local = uint64_t{block.launch->warps_per_block} * kLanes * block.local_stride + kPadding;
  if (buffer.size() < shared + local) buffer.resize(shared + local);
  std::memset(buffer.data(), 0, shared + local);
  block.shared_shadow = buffer.data();
  block.local_shadow = buffer.data() + shared;
  used_.push_back(std::move(buffer));
}

void Uninit::block_end(Block& block) {
  for (size_t i = 0; i < used_.size(); ++i) {
    if (used_[i].data() != block.shared_shadow) continue;
    free_.push_back(std::move(used_[i]));
    used_.erase(used_.begin() + static_cast<std::ptrdiff_t>(i));
    break;
  }
  block.shared_shadow = block.local_shadow = nullptr;
}

ShadowMap Uninit::map_of(const Block& block, ptx::Space space) const {
  const Launch& launch = *block.launch;
  switch (space) {
    case ptx::Space::Global:
      return global_;
    case ptx::Space::Shared:
      return {reinterpret_cast<uint64_t>(block.shared), launch.shared_bytes, block.shared_shadow};
    case ptx::Space::Local:
      return {reinterpret_cast<uint64_t>(block.local),
              uint64_t{launch.warps_per_block} * kLanes * block.local_stride, block.local_shadow};
    default:
      return {0, 0, nullptr};
  }
}

void Uninit::access(Warp& warp, const Inst& inst, const Access& access, const LaneRuns& lanes) {
  if (access.kind == AccessKind::AsyncCopyIssue) return;
  const ShadowMap map = map_of(*warp.block, access.space);
  const bool writes = access.kind == AccessKind::Store || access.kind == AccessKind::AsyncCopyWrite;
  if (!writes) {
    const uint32_t unwritten =
        kernels_.unwritten_runs(map, access.address, lanes.runs, lanes.count, access.bytes);
    VGPU_FOR_LANES(unwritten, i) check_run(warp, inst, access, map, lanes.runs[i]);
    if (access.kind != AccessKind::Atomic) return;
  }
  for (uint32_t i = 0; i < lanes.count; ++i) {
    const uint64_t offset = access.address[lanes.runs[i].lane] - map.begin;
    if (offset < map.size) std::memset(map.shadow + offset, 1, lanes.bytes(i, access));
  }
}

uint32_t Uninit::unit_of(const Warp& warp, const Inst& inst, const Access& access) {
  const std::vector<Source>& sources = warp.block->launch->program->sources;
  const ptx::Instruction* source = inst.source < sources.size() ? sources[inst.source].instruction : nullptr;
  if (access.kind != AccessKind::Load || source == nullptr || source->modifiers.empty()) return access.bytes;
  return source->modifiers.back().front() == 'f' ? access.element : access.bytes;
}

void Uninit::check_run(Warp& warp, const Inst& inst, const Access& access, const ShadowMap& map,
                       const Run& run) const {
  if (already_found(inst, Check::Uninitialised)) return;
  const Block& block = *warp.block;
  const uint32_t lanes = run.same ? 1 : run.lanes;
  const uint32_t unit = unit_of(warp, inst, access);
  for (uint32_t lane = run.lane; lane < run.lane + lanes; ++lane) {
    for (uint32_t offset = 0; offset < access.bytes; offset += unit) {
      const uint64_t address = address_of(access, lane) + offset;
      const uint64_t at = address - map.begin;
      if (!none_written(map.shadow + at, unit)) continue;
      if (access.element == 1 && unit > 1 && at != 0 && map.shadow[at - 1] != 0) continue;
      const uint64_t local = address - reinterpret_cast<uint64_t>(block.local);
      const uint32_t in_thread =
          block.local_stride == 0 ? 0 : static_cast<uint32_t>(local % block.local_stride);
      finding(warp, inst, Check::Uninitialised, lane, "uninitialised read of %u bytes of %s memory %s",
              static_cast<unsigned>(unit), name_of(access.space),
              where(block, access, address, in_thread).c_str());
      return;
    }
  }
}

}  // namespace vgpu::check
