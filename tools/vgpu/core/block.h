// A block (CTA) while it runs, and the launch it belongs to.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/warp.h"

namespace vgpu {

struct Program;
struct FunctionCode;
class Observer;
struct KernelCounters;
struct Footprint;
struct BlockShadow;

struct Dim3 {
  uint32_t x = 1, y = 1, z = 1;
  uint64_t count() const { return uint64_t{x} * y * z; }
};

// One launch. Constant while it runs, apart from the atomics.
struct Launch {
  Program* program = nullptr;
  const FunctionCode* kernel = nullptr;
  Dim3 grid, block;
  uint32_t dynamic_shared = 0;
  const uint8_t* arguments = nullptr;  // param_bytes, in memory kernels may address (MemoryKind::Parameters)
  uint32_t warps_per_block = 0;
  uint32_t shared_bytes = 0;           // static + dynamic
  uint32_t local_bytes = 0;            // per thread, all frames
  uint32_t register_bytes = 0;         // register stack of a warp
  const uint8_t* constants = nullptr;  // the program's immediates, 64-byte aligned
  bool cooperative = false;
  uint64_t grid_workspace = 0;         // %envreg1:%envreg2: what cooperative_groups' grid sync expects
  uint64_t number = 0;                 // launches count from 1
  Observer* observer = nullptr;        // checkers and counters; nullptr when none is on
  KernelCounters* counters = nullptr;  // per-instruction counts; nullptr when not counting
  Footprint* footprint = nullptr;      // the caller's, filled in where VGPU_CHECK=sync; may stay nullptr
};

struct Block {
  const Launch* launch = nullptr;
  Dim3 index;  // blockIdx
  uint64_t linear_index = 0;
  uint8_t* shared = nullptr;  // launch->shared_bytes, 128-byte aligned, red zone behind
  uint8_t* shared_shadow =
      nullptr;               // one byte a byte, non-zero where written; nullptr unless uninit is checked
  uint8_t* local = nullptr;  // threads * local_stride
  uint8_t* local_shadow = nullptr;
  uint32_t local_stride = 0;
  BlockShadow* race = nullptr;               // the race checker's own
  void* async_state = nullptr;               // mbarriers in flight, owned by ops/async
  struct BlockBarriers* barriers = nullptr;  // core/barrier.h
  std::vector<Warp> warps;

  uint32_t threads() const { return launch->block.x * launch->block.y * launch->block.z; }
  Dim3 thread_index(uint32_t warp, uint32_t lane) const;  // threadIdx
};

}  // namespace vgpu
