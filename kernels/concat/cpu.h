// The CPU kernels behind concat_kernels(Backend::Cpu); see concat.h for the contract.
#pragma once

#include "kernels/concat/concat.h"

namespace kernels::cpu {

template <class T>
void concat_forward(const Exec& exec, const ConcatSlice& slice, const T* operand, T* whole);

template <class T>
void concat_backward(const Exec& exec, const ConcatSlice& slice, const T* d_whole, T* d_operand,
                     GradMode mode);

}  // namespace kernels::cpu
