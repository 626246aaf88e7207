// The CPU kernels behind relu_kernels(Backend::Cpu); see relu.h for the contract.
#pragma once

#include "kernels/relu/relu.h"

namespace kernels::cpu {

template <class T>
void relu_forward(const Exec& exec, int64_t count, const T* x, T* y);

template <class T>
void relu_backward(const Exec& exec, int64_t count, const T* y, const T* dy, T* dx, GradMode mode);

}  // namespace kernels::cpu
