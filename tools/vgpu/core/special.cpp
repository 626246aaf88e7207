// Special registers (%tid, %ctaid, %clock ...): one handler each, run once per read.
#include "core/special.h"

#include <chrono>
#include <cstring>
#include <unordered_map>

#include "core/block.h"
#include "core/program.h"
#include "core/warp.h"

namespace vgpu {

namespace {

template <class T>
void store_lanes(Warp& w, Ref d, const uint64_t* values) {
  T* to = lanes<T>(w, d);
  for (uint32_t i = 0; i < kLanes; ++i) to[i] = (w.exec >> i & 1) != 0 ? static_cast<T>(values[i]) : to[i];
}

void store(Warp& w, const Inst& inst, const uint64_t* values) {
  if (inst.count == 8) return store_lanes<uint64_t>(w, inst.d, values);
  if (inst.count == 2) return store_lanes<uint16_t>(w, inst.d, values);
  store_lanes<uint32_t>(w, inst.d, values);
}

void store_uniform(Warp& w, const Inst& inst, uint64_t value) {
  uint64_t values[kLanes];
  for (uint64_t& v : values) v = value;
  store(w, inst, values);
}

// A register that is the same for all lanes of a warp.
template <uint64_t (*kValue)(const Warp&)>
Status uniform(Warp& w, const Inst& inst) {
  store_uniform(w, inst, kValue(w));
  return Status::Next;
}

// A register that is a function of the lane's number.
template <uint64_t (*kValue)(uint32_t lane)>
Status by_lane(Warp& w, const Inst& inst) {
  uint64_t values[kLanes];
  for (uint32_t i = 0; i < kLanes; ++i) values[i] = kValue(i);
  store(w, inst, values);
  return Status::Next;
}

// %tid.x, .y, .z: counted up from the warp's first thread, which needs one division a warp instead of one a
// lane.
template <int kAxis>
Status thread_index(Warp& w, const Inst& inst) {
  const Dim3& block = w.block->launch->block;
  Dim3 at = w.block->thread_index(w.id, 0);
  uint64_t values[kLanes];
  for (uint64_t& value : values) {
    value = kAxis == 0 ? at.x : kAxis == 1 ? at.y : at.z;
    if (++at.x < block.x) continue;
    at.x = 0;
    if (++at.y < block.y) continue;
    at.y = 0;
    ++at.z;
  }
  store(w, inst, values);
  return Status::Next;
}

const Launch& launch(const Warp& w) {
  return *w.block->launch;
}

template <int kAxis>
uint32_t axis(const Dim3& d) {
  return kAxis == 0 ? d.x : kAxis == 1 ? d.y : d.z;
}
template <int kAxis>
uint64_t block_size(const Warp& w) {
  return axis<kAxis>(launch(w).block);
}
template <int kAxis>
uint64_t block_index(const Warp& w) {
  return axis<kAxis>(w.block->index);
}
template <int kAxis>
uint64_t grid_size(const Warp& w) {
  return axis<kAxis>(launch(w).grid);
}

uint64_t zero(const Warp&) {
  return 0;
}
uint64_t one(const Warp&) {
  return 1;
}
uint64_t warp_index(const Warp& w) {
  return w.id;
}
uint64_t warp_count(const Warp& w) {
  return (w.block->threads() + kLanes - 1) / kLanes;
}
uint64_t multiprocessor(const Warp& w) {
  return w.block->linear_index % kMultiprocessors;
}
uint64_t multiprocessors(const Warp&) {
  return kMultiprocessors;
}
uint64_t launch_number(const Warp& w) {
  return launch(w).number;
}
uint64_t dynamic_shared(const Warp& w) {
  return launch(w).dynamic_shared;
}
uint64_t all_shared(const Warp& w) {
  return launch(w).shared_bytes;
}
uint64_t workspace_high(const Warp& w) {
  return launch(w).grid_workspace >> 32;
}
uint64_t workspace_low(const Warp& w) {
  return launch(w).grid_workspace & 0xFFFFFFFFu;
}
uint64_t reserved_size(const Warp&) {
  return kReservedShared;
}
uint64_t reserved_half(const Warp&) {
  return kReservedShared / 2;
}

// Nanoseconds pass as clock cycles: a kernel that measures itself sees time go by, at a gigahertz.
template <class Clock>
uint64_t nanoseconds() {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch()).count());
}
uint64_t clock_now(const Warp&) {
  return nanoseconds<std::chrono::steady_clock>();
}
uint64_t clock_high(const Warp& w) {
  return clock_now(w) >> 32;
}
uint64_t timer_now(const Warp&) {
  return nanoseconds<std::chrono::system_clock>();
}
uint64_t timer_high(const Warp& w) {
  return timer_now(w) >> 32;
}

uint64_t lane_index(uint32_t lane) {
  return lane;
}
uint64_t mask_equal(uint32_t lane) {
  return 1u << lane;
}
uint64_t mask_less(uint32_t lane) {
  return (1u << lane) - 1;
}
uint64_t mask_less_equal(uint32_t lane) {
  return (2ull << lane) - 1;
}
uint64_t mask_greater(uint32_t lane) {
  return ~((2ull << lane) - 1) & 0xFFFFFFFFu;
}
uint64_t mask_greater_equal(uint32_t lane) {
  return ~((1ull << lane) - 1) & 0xFFFFFFFFu;
}

using Table = std::unordered_map<std::string_view, SpecialRegister>;

void add_positions(Table& t) {
  t["%tid.x"].run = t["%tid"].run = thread_index<0>;
  t["%tid.y"].run = thread_index<1>;
  t["%tid.z"].run = thread_index<2>;
  t["%ntid.x"].run = t["%ntid"].run = uniform<block_size<0>>;
  t["%ntid.y"].run = uniform<block_size<1>>;
  t["%ntid.z"].run = uniform<block_size<2>>;
  t["%ctaid.x"].run = t["%ctaid"].run = uniform<block_index<0>>;
  t["%ctaid.y"].run = uniform<block_index<1>>;
  t["%ctaid.z"].run = uniform<block_index<2>>;
  t["%nctaid.x"].run = t["%nctaid"].run = uniform<grid_size<0>>;
  t["%nctaid.y"].run = uniform<grid_size<1>>;
  t["%nctaid.z"].run = uniform<grid_size<2>>;
  for (const char* name : {"%tid.w", "%ntid.w", "%ctaid.w", "%nctaid.w"}) t[name].run = uniform<zero>;
}

// Every block is a cluster of its own.
void add_clusters(Table& t) {
  t["%clusterid.x"].run = t["%clusterid"].run = uniform<block_index<0>>;
  t["%clusterid.y"].run = uniform<block_index<1>>;
  t["%clusterid.z"].run = uniform<block_index<2>>;
  t["%nclusterid.x"].run = t["%nclusterid"].run = uniform<grid_size<0>>;
  t["%nclusterid.y"].run = uniform<grid_size<1>>;
  t["%nclusterid.z"].run = uniform<grid_size<2>>;
  for (const char* name : {"%cluster_nctaid", "%cluster_nctaid.x", "%cluster_nctaid.y", "%cluster_nctaid.z",
                           "%cluster_nctarank"})
    t[name].run = uniform<one>;
  for (const char* name : {"%cluster_ctaid", "%cluster_ctaid.x", "%cluster_ctaid.y", "%cluster_ctaid.z",
                           "%cluster_ctarank", "%is_explicit_cluster"})
    t[name].run = uniform<zero>;
}

void add_machine(Table& t) {
  t["%laneid"].run = by_lane<lane_index>;
  t["%warpid"].run = uniform<warp_index>;
  t["%nwarpid"].run = uniform<warp_count>;
  t["%smid"].run = uniform<multiprocessor>;
  t["%nsmid"].run = uniform<multiprocessors>;
  t["%lanemask_eq"].run = by_lane<mask_equal>;
  t["%lanemask_lt"].run = by_lane<mask_less>;
  t["%lanemask_le"].run = by_lane<mask_less_equal>;
  t["%lanemask_gt"].run = by_lane<mask_greater>;
  t["%lanemask_ge"].run = by_lane<mask_greater_equal>;
  t["%clock"].run = uniform<clock_now>;
  t["%clock_hi"].run = uniform<clock_high>;
  t["%globaltimer_lo"].run = uniform<timer_now>;
  t["%globaltimer_hi"].run = uniform<timer_high>;
  t["%clock64"] = {uniform<clock_now>, 8};
  t["%globaltimer"] = {uniform<timer_now>, 8};
  t["%gridid"] = {uniform<launch_number>, 8};
  t["%current_graph_exec"] = {uniform<zero>, 8};
  t["%dynamic_smem_size"].run = uniform<dynamic_shared>;
  t["%total_smem_size"].run = t["%aggr_smem_size"].run = uniform<all_shared>;
  t["%reserved_smem_offset_begin"].run = t["%reserved_smem_offset_0"].run = uniform<zero>;
  t["%reserved_smem_offset_1"].run = uniform<reserved_half>;
  t["%reserved_smem_offset_end"].run = t["%reserved_smem_offset_cap"].run = uniform<reserved_size>;
  t["%envreg1"].run = uniform<workspace_high>;  // where cooperative_groups looks for the grid's barrier
  t["%envreg2"].run = uniform<workspace_low>;
}

const Table& table() {
  static const Table all = [] {
    Table t;
    add_positions(t);
    add_clusters(t);
    add_machine(t);
    return t;
  }();
  return all;
}

}  // namespace

std::optional<SpecialRegister> find_special(std::string_view name) {
  const auto found = table().find(name);
  if (found != table().end()) return found->second;
  if (name.substr(0, 7) == "%envreg" ||
      name.substr(0, 3) == "%pm") {  // other environment, performance counters
    const bool wide = name.size() > 3 && name.substr(name.size() - 3) == "_64";
    return SpecialRegister{uniform<zero>, wide ? 8u : 4u};
  }
  return std::nullopt;
}

Status run_narrow(Warp& w, const Inst& inst) {
  const uint8_t* from = lanes<uint8_t>(w, inst.a);
  uint8_t* to = lanes<uint8_t>(w, inst.d);
  const auto size = static_cast<uint32_t>(inst.imm), step = uint32_t{inst.count};
  VGPU_FOR_LANES(w.exec, i) std::memcpy(to + i * size, from + i * step, size);
  return Status::Next;
}

Status run_copy_mask(Warp& w, const Inst& inst) {
  uint32_t* d = lanes<uint32_t>(w, inst.d);
  *d = (*d & ~w.exec) | (*lanes<uint32_t>(w, inst.a) & w.exec);
  return Status::Next;
}

Status run_invert_mask(Warp& w, const Inst& inst) {
  uint32_t* d = lanes<uint32_t>(w, inst.d);
  *d = (*d & ~w.exec) | (~*lanes<uint32_t>(w, inst.a) & w.exec);
  return Status::Next;
}

Status run_local_address(Warp& w, const Inst& inst) {
  store_uniform(w, inst, static_cast<uint64_t>(inst.imm) + w.local_base);
  return Status::Next;
}

Status run_dynamic_shared_address(Warp& w, const Inst& inst) {
  store_uniform(w, inst, static_cast<uint64_t>(inst.imm) + launch(w).kernel->dynamic_shared_offset);
  return Status::Next;
}

Status run_unsupported(Warp& w, const Inst& inst) {
  if (w.exec == 0) return Status::Next;
  const std::string& message = launch(w).program->messages[static_cast<size_t>(inst.imm)];
  fault(w, inst, 715, static_cast<uint32_t>(__builtin_ctz(w.exec)), "%s", message.c_str());
}

}  // namespace vgpu
