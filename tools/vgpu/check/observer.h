// The one observer of a launch: hands every event to the checkers and counters that are on.
#pragma once

#include <memory>
#include <string>

#include "check/byte_set.h"
#include "check/counters.h"
#include "check/race.h"
#include "check/uninit.h"
#include "core/observe.h"

namespace vgpu::check {

class LaunchObserver final : public Observer {
 public:
  // checks: bits of Check; nothing of Race is made unless Race or Sync is on.
  LaunchObserver(uint32_t checks, bool counts);

  void begin(Launch& launch);
  void end(Launch& launch);

  void access(Warp& warp, const Inst& inst, const Access& access) override;
  void warp_barrier(Warp& warp, uint32_t mask) override;
  void barrier_arrive(Warp& warp, uint32_t barrier) override;
  void block_barrier(Block& block, uint32_t barrier, uint32_t waited) override;
  void fence(Warp& warp, bool device_scope) override;
  void mma(Warp& warp, const Inst& inst, uint64_t flops) override;
  void branch(Warp& warp, const Inst& inst, bool diverged) override;
  void block_begin(Block& block) override;
  void block_end(Block& block) override;

  const Counters* counters() const { return counters_.get(); }

 private:
  uint32_t pc_of(const Warp& warp, const Inst& inst) const {
    const uint64_t index = static_cast<uint64_t>(&inst - code_);
    return index < code_size_ ? static_cast<uint32_t>(index) : warp.pc;
  }

  std::unique_ptr<Uninit> uninit_;
  std::unique_ptr<Race> race_;
  std::unique_ptr<Counters> counters_;
  Footprint* footprint_ = nullptr;
  ByteSet reads_, writes_;
  const Inst* code_ = nullptr;
  uint64_t code_size_ = 0;
};

}  // namespace vgpu::check
