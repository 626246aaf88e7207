// The CPU kernels behind reduce_kernels(Backend::Cpu); see reduce.h for the contract.
#pragma once

#include "kernels/reduce/reduce.h"

namespace kernels::cpu {

template <class T>
void reduce_stats(const Exec& exec, int64_t count, const T* x, ArrayStats* stats);

template <class T>
void reduce_segments(const Exec& exec, const SegmentedArray& array, const T* x, SegmentStats* stats,
                     LogHistogram* histograms);

template <class T>
void reduce_linear(const Exec& exec, const SegmentedArray& array, const T* x, const LinearBins& bins,
                   uint32_t* counts);

size_t reduce_workspace(int64_t elements, int64_t segments, bool histograms);

}  // namespace kernels::cpu
