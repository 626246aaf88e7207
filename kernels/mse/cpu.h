// The CPU kernels behind mse_kernels(Backend::Cpu); see mse.h for the contract.
#pragma once

#include "kernels/mse/mse.h"

namespace kernels::cpu {

template <class T>
void mse_forward(const Exec& exec, const MseOperands<T>& operands, double scale, double* loss);

template <class T>
void mse_backward(const Exec& exec, const MseOperands<T>& operands, double scale, T* dy, GradMode mode);

}  // namespace kernels::cpu
