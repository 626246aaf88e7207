// The CPU kernels behind copy_kernels(Backend::Cpu); see copy.h for the contract.
#pragma once

#include "kernels/copy/copy.h"

namespace kernels::cpu {

template <class T>
void fill(const Exec& exec, int64_t count, T value, T* y);

template <class T>
void copy(const Exec& exec, int64_t count, const T* x, T* y, GradMode mode);

}  // namespace kernels::cpu
