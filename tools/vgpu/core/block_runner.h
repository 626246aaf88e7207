// One block's state and its turns: warps in the order the schedule asks for, each for a quantum of
// instructions.
#pragma once

#include <cstdint>
#include <memory>

#include "core/barrier.h"
#include "core/block.h"
#include "core/fragments.h"

namespace vgpu {

// Memory that belongs to one resident block and is used again by the next one on the same thread.
class BlockRunner {
 public:
  BlockRunner();
  ~BlockRunner();
  BlockRunner(const BlockRunner&) = delete;
  BlockRunner& operator=(const BlockRunner&) = delete;

  void start(const Launch& launch, uint64_t linear_index);
  // One turn for every warp, at most `quantum` instructions each. Returns false when the block has ended.
  // Throws KernelFault.
  bool round(uint32_t quantum);
  void finish();  // after the last round, or to abandon the block

 private:
  struct Buffer {  // reserved once, touched as needed
    uint8_t* data = nullptr;
    uint64_t bytes = 0;
    void reserve(uint64_t wanted);
    ~Buffer();
  };
  void start_warp(uint32_t index);
  void order_warps();
  [[noreturn]] void report_deadlock();
  void check_budget(Warp& warp);

  Block block_;
  BlockBarriers barriers_;
  std::vector<Fragments> fragments_;
  std::vector<uint32_t> order_;
  Buffer shared_, local_, registers_;
  uint32_t warp_register_bytes_ = 0;
  uint64_t random_ = 1;
  bool progressed_ = true;
  bool started_ = false;
};

}  // namespace vgpu
