// Where a number belongs, from its bits: shared by the backends.
#pragma once

#include "kernels/reduce/reduce.h"

namespace kernels {

template <class T>
struct FloatFormat;
template <>
struct FloatFormat<float> {
  using Bits = uint32_t;
  static constexpr int kMantissa = 23, kBias = 127;
  static constexpr Bits kMagnitude = 0x7fffffff, kSmallestNormal = 0x00800000, kInfinity = 0x7f800000;
};
template <>
struct FloatFormat<double> {
  using Bits = uint64_t;
  static constexpr int kMantissa = 52, kBias = 1023;
  static constexpr Bits kMagnitude = 0x7fffffffffffffff, kSmallestNormal = 0x0010000000000000,
                        kInfinity = 0x7ff0000000000000;
};

/// The counter of a normal number with these bits.
template <class T>
CPM_HOST_DEVICE uint32_t* counter_of(LogHistogram& histogram, typename FloatFormat<T>::Bits bits) {
  using Format = FloatFormat<T>;
  const auto magnitude = static_cast<int>((bits & Format::kMagnitude) >> (Format::kMantissa - 1));
  const int bin = magnitude - 2 * (Format::kBias + LogHistogram::kLowest);
  if (bin < 0) return &histogram.underflow;
  if (bin >= LogHistogram::kBins) return &histogram.overflow;
  return (bits > Format::kMagnitude ? histogram.negative : histogram.positive) + bin;
}

}  // namespace kernels
