// Running one kernel launch to its end: what the runtime calls.
#pragma once

#include <cstdint>
#include <string>

#include "core/block.h"

namespace vgpu {

// Runs every block of the launch on VGPU_THREADS threads (one where a checker is on), in the order VGPU_SCHED
// asks for. Returns 0 or the cudaError_t a driver would report; the report line has been printed then. Fills
// in the fields of `launch` that follow from the others (warps_per_block, shared_bytes, local_bytes, number,
// observer, counters).
int execute(Launch& launch);

// Resident blocks a multiprocessor can hold for cooperative launches and occupancy; shared and registers
// considered.
uint32_t resident_blocks(const FunctionCode& kernel, uint32_t threads, uint32_t dynamic_shared);

uint64_t kernels_executed();  // launches so far, printed by vgpu-run through VGPU_SUMMARY

struct Schedule {
  enum class Kind : uint8_t { RoundRobin, Reverse, Random } kind = Kind::RoundRobin;
  uint64_t seed = 0;
  bool split_warps =
      false;  // VGPU_SCHED=random:SEED also runs warps in random fragments between *.sync instructions
};
const Schedule& schedule();  // VGPU_SCHED

}  // namespace vgpu
