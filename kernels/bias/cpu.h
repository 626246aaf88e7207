// The CPU kernels behind bias_kernels(Backend::Cpu); see bias.h for the contract.
#pragma once

#include "kernels/bias/bias.h"

namespace kernels::cpu {

template <class T>
void bias_backward(const Exec& exec, const BiasProblem& problem, const T* dy, T* db, GradMode mode);

template <class T>
void bias_relu_backward(const Exec& exec, const BiasProblem& problem, const T* y, T* dy, T* db,
                        GradMode mode);

}  // namespace kernels::cpu
