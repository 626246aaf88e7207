// Counters: what a kernel executed and how its memory accesses lay, as evidence of performance without a
// device.
//
// The engine counts executions and lanes of every instruction; memory handlers report their accesses. Sectors
// are the different 32-byte pieces of global memory one request of a warp touches. Passes are the cycles
// shared memory needs for one request: 32 banks of 4 bytes, requests of 8 bytes a lane served by half-warps
// and of 16 bytes by quarter-warps, words asked for by several lanes served once, and neighbouring parts of a
// warp served together where every active lane i asks for the same as lane i^1, or every one for the same as
// lane i^2 (an observed rule of current hardware).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "check/byte_set.h"
#include "check/classify.h"
#include "core/observe.h"

namespace vgpu::check {

uint32_t sectors_of(const Access& access);
uint32_t passes_of(const Access& access, const LaneRuns& lanes);

// Requests of one space by kind: load, store, atomic.
struct SpaceTotals {
  std::array<uint64_t, 3> requests{}, bytes{}, sectors{}, passes{};
};

struct MemoryEvents {  // of one instruction
  uint64_t requests = 0, bytes = 0, sectors = 0, passes = 0, mma_flops = 0, divergent = 0;
};

struct InstructionTotals : MemoryEvents {
  std::string text, file, place;
  int32_t line = 0;
  InstructionFacts facts;
  uint64_t executed = 0, lanes = 0;
};

struct KernelTotals {
  std::string name, mangled;
  uint64_t launches = 0, blocks = 0, threads = 0;
  uint64_t branches = 0, divergent_branches = 0, mma_operations = 0, mma_flops = 0;
  uint64_t global_read = 0, global_written = 0, shared = 0, local = 0;  // unique bytes, summed over launches
  std::array<SpaceTotals, 7> spaces;                                    // by ptx::Space
  std::map<uint32_t, InstructionTotals> instructions;                   // by pc
};

class Counters {
 public:
  void begin_launch(Launch& launch);
  void end_launch(Launch& launch);
  void access(const Warp& warp, const Access& access, const LaneRuns& lanes, uint32_t pc);
  void mma(uint64_t flops, uint32_t pc);
  void branch(bool diverged, uint32_t pc);
  const std::map<const FunctionCode*, KernelTotals>& kernels() const { return kernels_; }
  // In order of first launch.
  std::vector<const KernelTotals*> in_order() const;

 private:
  void fold(const Launch& launch);

  KernelTotals* current_ = nullptr;
  std::vector<MemoryEvents> events_;  // of this launch, by pc
  std::unique_ptr<KernelCounters> engine_;
  ByteSet global_read_, global_written_, shared_, local_;
  std::map<const FunctionCode*, KernelTotals> kernels_;
  std::vector<const FunctionCode*> order_;
};

// VGPU_COUNT: "1" for a table on stderr, otherwise a file name for JSON.
void write_counters(const Counters& counters, const std::string& destination);
std::string counters_as_json(const Counters& counters);
std::string counters_as_table(const Counters& counters);

}  // namespace vgpu::check
