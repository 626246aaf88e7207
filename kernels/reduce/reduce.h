// Statistics in one pass: of one array, or of every segment of a flat buffer (a network's gradient, parameter
// by parameter) with, on request, histograms of log magnitudes. Sums run in double over fixed chunks in fixed
// order: same bits for any thread count and from run to run. Backends agree exactly in all counts and maxima,
// to rounding in sums.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/base/exec.h"
#include "kernels/base/segments.h"
#include "kernels/base/types.h"

namespace kernels {

struct ArrayStats {
  double sum_squares = 0;  // of the finite elements
  double max_abs = 0;      // of the finite elements
  int64_t non_finite = 0;  // NaN or infinite
};

struct SegmentStats {
  double sum_squares = 0, sum_abs = 0, max_abs = 0;   // of the finite elements
  int64_t nan = 0, inf = 0, zero = 0, subnormal = 0;  // every other element is a normal number
};

/// Normal numbers counted by sign and magnitude: two bins an octave, split at 1.5 times a power of two, which
/// are the exponent and the top bit of the mantissa. Together with the counts of SegmentStats every element
/// is counted once, and histograms add up exactly. For segments below 2^32 elements.
struct LogHistogram {
  static constexpr int kLowest = -60, kHighest = 20;  // exponents of two of the first and the last edge
  static constexpr int kBins = 2 * (kHighest - kLowest);

  uint32_t negative[kBins] = {}, positive[kBins] = {};  // bin b: log_bin_edge(b) <= |x| < log_bin_edge(b + 1)
  uint32_t underflow = 0, overflow = 0;                 // normal, |x| below 2^kLowest; from 2^kHighest on
};

/// Lower edge of bin b; of kBins: the upper edge of the last.
double log_bin_edge(int bin);

/// `bins` equal bins over [-range, range), an even number so that an edge lies at 0: the axis of the CPM
/// paper's figure. Counter 0 has what lies below, counter bins + 1 what lies from range on, infinities too;
/// NaN is in none.
struct LinearBins {
  static constexpr int kMostBins = 1022;

  int bins = 0;
  double range = 0;

  CPM_HOST_DEVICE int64_t counters() const { return bins + 2; }
  /// 1 + bins / 2 + floor(x * (bins / (2 range))), in double, within the limits; -1 for NaN.
  CPM_HOST_DEVICE int counter_of(double x) const {
    const double place = x * (bins / (2 * range)), half = bins / 2;
    if (place < -half) return 0;
    if (place >= half) return bins + 1;
    if (place != place) return -1;
    const auto whole = static_cast<int>(place);  // towards zero
    return 1 + bins / 2 + (place < whole ? whole - 1 : whole);
  }
};

/// Segments, ascending and disjoint, of a flat array of `elements`; the table lies in memory of the backend.
struct SegmentedArray {
  int64_t elements = 0;
  const Segment* segments = nullptr;
  int64_t count = 0;
};

template <class T>
struct ReduceKernels {
  /// `stats` in memory of the backend.
  using Stats = void (*)(const Exec&, int64_t count, const T* x, ArrayStats* stats);
  /// x [elements]; stats [count], histograms [count] or null, in memory of the backend.
  using Segments = void (*)(const Exec&, const SegmentedArray&, const T* x, SegmentStats* stats,
                            LogHistogram* histograms);
  /// Adds to counts [count, bins.counters()], in memory of the backend.
  using Linear = void (*)(const Exec&, const SegmentedArray&, const T* x, const LinearBins& bins,
                          uint32_t* counts);
  /// Bytes of exec.workspace that `segments` needs; `stats` needs those of one segment without histogram.
  using Workspace = size_t (*)(int64_t elements, int64_t segments, bool histograms);

  Stats stats;
  Segments segments;
  Linear linear;
  Workspace workspace;

  constexpr ReduceKernels(Stats s, Segments g, Linear l, Workspace w)
      : stats(s), segments(g), linear(l), workspace(w) {}
};

/// The kernels of a backend; DeviceUnavailable where this build has none.
template <class T>
const ReduceKernels<T>& reduce_kernels(Backend backend);

/// cuda.cu, or nullptr from no_cuda.cpp.
const ReduceKernels<float>* cuda_reduce_kernels();

}  // namespace kernels
