// The lanes of an access, neighbours with equal or adjoining addresses taken together: found once, used by
// every checker.
#pragma once

#include "check/kernels.h"
#include "core/observe.h"

namespace vgpu::check {

// A lane's address, whatever the pattern.
inline uint64_t address_of(const Access& access, uint32_t lane) {
  switch (access.pattern) {
    case Pattern::Uniform:
      return access.address[__builtin_ctz(access.mask)];
    case Pattern::Contiguous:
      return access.address[0] + uint64_t{lane} * access.bytes;
    default:
      return access.address[lane];
  }
}

struct LaneRuns {
  Run runs[kLanes];
  uint32_t count = 0;

  // access.mask must not be 0. The lanes of a uniform access count as neighbours.
  explicit LaneRuns(const Access& access) {
    if (access.pattern == Pattern::Contiguous) {
      runs[0] = Run{0, kLanes, false};
      count = 1;
    } else if (access.pattern == Pattern::Uniform) {
      const uint32_t lanes =
          access.mask == ~0u ? kLanes : static_cast<uint32_t>(__builtin_popcount(access.mask));
      runs[0] = Run{static_cast<uint8_t>(__builtin_ctz(access.mask)), static_cast<uint8_t>(lanes), lanes > 1};
      count = 1;
    } else {
      count = kernels().find_runs(access.address, access.mask, access.bytes, runs);
    }
  }
  // Bytes that run i covers from its first lane's address on.
  uint64_t bytes(uint32_t i, const Access& access) const {
    return uint64_t{access.bytes} * (runs[i].same ? 1u : runs[i].lanes);
  }
};

}  // namespace vgpu::check
