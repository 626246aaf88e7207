// The uninitialised-read checker: one shadow byte for every byte of global, shared and local memory, non-zero
// where the byte has been written.
//
// A load is reported when none of an element's bytes has been written. An element that is written in part is
// let pass, and so is a vector of integers or bits of which some element is written: that is how a struct
// with padding is copied.
#pragma once

#include <cstdint>
#include <vector>

#include "check/lane_runs.h"
#include "core/observe.h"

namespace vgpu::check {

class Uninit {
 public:
  Uninit();
  void block_begin(Block& block);
  void block_end(Block& block);
  void access(Warp& warp, const Inst& inst, const Access& access, const LaneRuns& lanes);

 private:
  ShadowMap map_of(const Block& block, ptx::Space space) const;
  // Bytes that must not be unwritten all together.
  static uint32_t unit_of(const Warp& warp, const Inst& inst, const Access& access);
  void check_run(Warp& warp, const Inst& inst, const Access& access, const ShadowMap& map,
                 const Run& run) const;

  const Kernels& kernels_ = kernels();
  const ShadowMap global_;

  std::vector<std::vector<uint8_t>> free_;
  std::vector<std::vector<uint8_t>> used_;
};

}  // namespace vgpu::check
