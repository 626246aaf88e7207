// The CPU kernels behind optim_kernels(Backend::Cpu); see optim.h for the contract.
#pragma once

#include "kernels/optim/optim.h"

namespace kernels::cpu {

template <class T>
void sgd(const Exec& exec, int64_t count, const SgdStep& step, const T* g, T* m, T* w);

template <class T>
void adam(const Exec& exec, int64_t count, const AdamStep& step, const T* g, T* m, T* v, T* w);

}  // namespace kernels::cpu
