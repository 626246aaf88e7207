// A block's turns. A warp runs until it waits, ends or has used its quantum; then the next one runs. That
// lets a warp run far ahead of the others, which is what shows a missing barrier as a wrong result.
#include "core/block_runner.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>
#include <string>

#include "core/execute.h"
#include "core/observe.h"
#include "core/random.h"
#include "core/report.h"
#include "core/settings.h"
#include "ops/async.h"

namespace vgpu {
namespace {

constexpr uint32_t kRedZone = 256;

uint64_t round_up(uint64_t value, uint64_t unit) {
  return (value + unit - 1) / unit * unit;
}

}  // namespace

Dim3 Block::thread_index(uint32_t warp, uint32_t lane) const {
  const uint32_t linear = warp * kLanes + lane, x = launch->block.x, y = launch->block.y;
  return {linear % x, linear / x % y, linear / x / y};
}

BlockRunner::BlockRunner() = default;

BlockRunner::~BlockRunner() {
  finish();
}

BlockRunner::Buffer::~Buffer() {
  if (data != nullptr) munmap(data, bytes);
}

void BlockRunner::Buffer::reserve(uint64_t wanted) {
  if (wanted <= bytes) return;
  if (data != nullptr) munmap(data, bytes);
  bytes = round_up(wanted, 1 << 16);
  void* memory =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  data = memory == MAP_FAILED ? nullptr : static_cast<uint8_t*>(memory);
  if (data == nullptr) {
    bytes = 0;
    throw std::bad_alloc();
  }
}

void BlockRunner::start(const Launch& launch, uint64_t linear_index) {
  block_.launch = &launch;
  block_.linear_index = linear_index;
  block_.index = {static_cast<uint32_t>(linear_index % launch.grid.x),
                  static_cast<uint32_t>(linear_index / launch.grid.x % launch.grid.y),
                  static_cast<uint32_t>(linear_index / launch.grid.x / launch.grid.y)};
  shared_.reserve(launch.shared_bytes + 2 * kRedZone);
  block_.shared = shared_.data;
  // Neither hardware nor this is zero at the start: all ones are a NaN and a wild index.
  std::memset(block_.shared, 0xFF, launch.shared_bytes + kRedZone);
  block_.local_stride = static_cast<uint32_t>(round_up(launch.local_bytes, 16));
  local_.reserve(uint64_t{block_.local_stride} * launch.warps_per_block * kLanes + kRedZone);
  block_.local = local_.data;
  warp_register_bytes_ = launch.register_bytes;
  // An odd number of cache lines between warps keeps their windows out of each other's cache sets.
  const uint64_t stride = round_up(warp_register_bytes_, 128) + 64;
  registers_.reserve(stride * launch.warps_per_block);
  barriers_ = BlockBarriers{};
  block_.barriers = &barriers_;
  fragments_.resize(std::max<size_t>(fragments_.size(), launch.warps_per_block));
  block_.warps.assign(launch.warps_per_block, Warp{});
  random_ = mix(schedule().seed ^ mix(linear_index)) | 1;
  order_.resize(launch.warps_per_block);
  for (uint32_t i = 0; i < launch.warps_per_block; ++i) {
    order_[i] = schedule().kind == Schedule::Kind::Reverse ? launch.warps_per_block - 1 - i : i;
    fragments_[i].registers = registers_.data + stride * i;
    start_warp(i);
  }
  progressed_ = true;
  started_ = true;
  if (launch.observer != nullptr) launch.observer->block_begin(block_);
}

void BlockRunner::start_warp(uint32_t index) {
  const Launch& launch = *block_.launch;
  const FunctionCode& kernel = *launch.kernel;
  const uint32_t lanes_here = std::min(kLanes, block_.threads() - index * kLanes);
  const uint32_t members = lanes_here == kLanes ? ~0u : (1u << lanes_here) - 1;
  Fragments& fragments = fragments_[index];
  uint8_t* registers = fragments.registers;
  std::memset(registers, 0, kernel.window_bytes);  // the same bits whatever ran here before
  fragments.list.clear();
  fragments.frames.clear();
  fragments.frames.push_back(Frame{.function = &kernel, .users = 1});
  fragments.list.push_back(Fragment{.pc = kernel.entry_pc, .mask = members});
  fragments.register_bytes = warp_register_bytes_;
  fragments.local_bytes = launch.local_bytes;
  fragments.current = fragments.changes = fragments.aligned_waiters = fragments.rotate = 0;
  fragments.executed = 0;
  fragments.random = schedule().split_warps ? mix(random_ + index) | 1 : 0;
  Warp& warp = block_.warps[index];
  warp.base[0] = registers;
  warp.base[1] = const_cast<uint8_t*>(launch.constants);
  warp.live = warp.members = members;
  warp.id = index;
  warp.block = &block_;
  warp.refs = launch.program->refs.data();
  warp.local_memory = block_.local + uint64_t{block_.local_stride} * kLanes * index;
  warp.lanes = &fragments;
}

void BlockRunner::order_warps() {
  if (schedule().kind != Schedule::Kind::Random) return;
  for (size_t i = order_.size(); i > 1; --i) {
    std::swap(order_[i - 1], order_[next_random(random_) % i]);
  }
}

void BlockRunner::check_budget(Warp& warp) {
  if (warp.lanes->executed <= settings().budget || warp.lanes->list.empty()) return;
  const Fragment& fragment = warp.lanes->list[0];
  const uint32_t lane = static_cast<uint32_t>(__builtin_ctz(fragment.mask));
  fault(warp, block_.launch->program->code[fragment.pc], 702, lane,
        "endless loop? The warp has executed its budget of %llu instructions (VGPU_BUDGET)",
        static_cast<unsigned long long>(settings().budget));
}

bool BlockRunner::round(uint32_t quantum) {
  order_warps();
  bool alive = false;
  progressed_ = false;
  for (uint32_t index : order_) {
    Warp& warp = block_.warps[index];
    if (warp.live == 0) continue;
    uint64_t fuel = quantum;
    if (schedule().kind == Schedule::Kind::Random) {
      fuel = 1 + next_random(random_) % (quantum / 10);
    }
    const uint64_t before = warp.lanes->executed;
    const Turn turn = run_warp(warp, fuel);
    progressed_ |= warp.lanes->executed != before;
    if (turn == Turn::Exited) {
      end_warp_async(warp);
    } else {
      alive = true;
      check_budget(warp);
    }
  }
  if (alive && !progressed_) report_deadlock();
  return alive;
}

void BlockRunner::report_deadlock() {
  for (Warp& warp : block_.warps) {
    if (warp.live == 0) continue;
    for (const Fragment& fragment : warp.lanes->list) {
      const char* what = fragment.wait == Wait::Barrier ? "a block barrier that others never reach"
                                                        : "lanes of its member mask that never arrive";
      fault(warp, block_.launch->program->code[fragment.pc], 702,
            static_cast<uint32_t>(__builtin_ctz(fragment.mask)),
            "deadlock: no warp of the block can go on; lanes 0x%08x wait for %s (member mask 0x%08x)",
            fragment.mask, what, fragment.wait == Wait::Barrier ? 0 : fragment.wait_mask);
    }
  }
  throw KernelFault{702};
}

void BlockRunner::finish() {
  if (!started_) return;
  started_ = false;
  if (block_.launch->observer != nullptr) block_.launch->observer->block_end(block_);
  end_block_async(block_);
}

}  // namespace vgpu
