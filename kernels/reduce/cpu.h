// The CPU kernels behind reduce_kernels(Backend::Cpu); see reduce.h for the contract.
#pragma once

#include "kernels/reduce/reduce.h"

namespace kernels::cpu {

template <class T>
void reduce_stats(const Exec& exec, int64_t count, const T* x, ArrayStats* stats);

}  // namespace kernels::cpu
