// The CPU kernels behind pool2d_kernels(Backend::Cpu); see pool2d.h for the contract.
#pragma once

#include "kernels/pool2d/pool2d.h"

namespace kernels::cpu {

template <class T>
void max_pool_forward(const Exec& exec, const PoolProblem& problem, const T* x, T* y, uint8_t* argmax);

template <class T>
void max_pool_backward(const Exec& exec, const PoolProblem& problem, const T* dy, const uint8_t* argmax,
                       T* dx, GradMode mode);

template <class T>
void relu_max_pool_forward(const Exec& exec, const PoolProblem& problem, const T* x, T* y, uint8_t* argmax);

template <class T>
void relu_max_pool_backward(const Exec& exec, const PoolProblem& problem, const T* dy, const T* y,
                            const uint8_t* argmax, T* dx, GradMode mode);

template <class T>
void avg_pool_forward(const Exec& exec, const PoolProblem& problem, const T* x, T* y);

template <class T>
void avg_pool_backward(const Exec& exec, const PoolProblem& problem, const T* dy, T* dx, GradMode mode);

}  // namespace kernels::cpu
