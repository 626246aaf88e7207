// The race checker: every access of shared and global memory against the cells of the bytes it touches.
//
// A race is two accesses of a byte by different threads, at least one of them a plain write or both not
// strong, that no barrier, fence with publication or launch boundary orders (check/clock.h). Accesses of
// whole words by many lanes take the loops of check/kernels.h; what those cannot clear, and everything
// smaller than a word or strong, is looked at word by word. A cell holds one writer and one reader, so a race
// is found against the latest of each.
//
// Two unordered writes from one and the same store instruction are reported only when the later one changes
// the value: many threads that set a flag to the same value are no bug.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "check/clock.h"
#include "check/lane_runs.h"
#include "core/observe.h"

namespace vgpu::check {

class Race {
 public:
  explicit Race(uint32_t checks);
  ~Race();
  Race(const Race&) = delete;
  Race& operator=(const Race&) = delete;

  void begin_launch();
  void end_launch();
  void block_begin(Block& block);
  void block_end(Block& block);
  void access(Warp& warp, const Inst& inst, const Access& access, const LaneRuns& lanes, uint32_t pc);
  // Looks at doubtful writes whose store has been carried out by now; call before anything else.
  void settle() {
    if (!doubtful_.empty()) settle_doubtful();
  }
  Clock& clock() { return clock_; }

 private:
  struct Doubtful {
    Warp* warp;
    const Inst* inst;
    uint32_t lane;
    uint64_t address;
    uint32_t word;  // as it was before the store
    std::string text;
  };
  // One access on its way through the checker.
  struct Request {
    Warp& warp;
    const Inst& inst;
    const Access& access;
    const LaneRuns& lanes;
    const Cells& cells;
    uint64_t base;    // address of cell 0
    uint64_t extent;  // bytes that have cells
    CellContext context;
    BlockShadow* shadow;  // of shared memory, nullptr for global memory
  };

  void log_reads(BlockShadow& shadow, const Warp& warp, const Access& access, const LaneRuns& lanes,
                 uint32_t pc);
  void enter_logged_reads(const Request& request);
  void read(const Request& request);
  void write(const Request& request);
  void strong(const Request& request);
  void small(const Request& request, bool is_write);
  void look_closely(const Request& request, const Span& span, bool is_write);
  void look_at_word(const Request& request, uint64_t word, uint64_t bytes, uint32_t lane, bool is_write,
                    bool is_strong);
  void mark_small(const Request& request, uint64_t word, uint64_t bytes, uint32_t lane, bool is_write);
  uint64_t me(const BlockShadow& shadow, const Warp& warp) const;
  void tell(const Request& request, uint64_t word, uint32_t lane, bool is_write, bool earlier_write);
  std::string describe(const Request& request, uint64_t word, uint32_t lane, bool is_write,
                       bool earlier_write) const;
  void settle_doubtful();
  void map_global_cells();

  const Kernels& kernels_ = kernels();
  uint32_t checks_;
  Clock clock_;
  Cells global_;
  uint64_t arena_ = 0, arena_size_ = 0;
  std::vector<BlockShadow*> free_;
  std::vector<Doubtful> doubtful_;
};

}  // namespace vgpu::check
