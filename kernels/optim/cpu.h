// The CPU kernels behind optim_kernels(Backend::Cpu); see optim.h for the contract.
#pragma once

#include "kernels/optim/optim.h"

namespace kernels::cpu {

template <class T>
void sgd(const Exec& exec, SegmentTable<SgdSegment<T>> table, const OptimArrays<T>& arrays);

template <class T>
void adam(const Exec& exec, SegmentTable<AdamSegment<T>> table, const OptimArrays<T>& arrays);

size_t optim_workspace(int64_t elements, int64_t segments);

}  // namespace kernels::cpu
