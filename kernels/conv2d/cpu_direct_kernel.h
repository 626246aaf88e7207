// The SIMD loops of cpu.direct as one table, written once for any vector length and compiled by each
// cpu_direct_<isa>.cpp with its own flags.
#pragma once

#include "kernels/conv2d/cpu_direct_correlate.h"
#include "kernels/conv2d/cpu_direct_wgrad.h"

namespace kernels {
namespace {

/// A correlate tile has kRows channels, or up to kTallRows where there are few spans; a wgrad tile
/// kWgradRows.
template <int kLanes, int kRegisters, int kRows, int kTallRows, int kWgradRows>
constexpr DirectKernels direct_kernels() {
  return {kLanes,
          kRows,
          tile_spans(kRegisters, kRows),
          kTallRows,
          tile_spans(kRegisters, kTallRows),
          kWgradRows,
          correlate<kLanes, kRegisters, kTallRows>,
          wgrad<kLanes, kRegisters, kWgradRows>};
}

}  // namespace
}  // namespace kernels
