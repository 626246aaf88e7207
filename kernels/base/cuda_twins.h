// Where a build without CUDA links stubs (no_cuda.cpp): the CUDA runtime, nullptr in such a build. The ops do
// the same with their own kernels.
#pragma once

#include <cstdint>

#include "kernels/base/exec.h"

namespace kernels {

class DeviceRuntime;

DeviceRuntime* cuda_device_runtime();

/// `blocks` blocks of 256 threads run `rounds` FMAs on each of eight numbers a thread and write one float a
/// thread to `out`. Returns the number of floating-point operations.
double cuda_fma_burst(const Exec& exec, int blocks, int rounds, float* out);
/// a = b + 3 c over `count` floats, a multiple of four; 16-byte aligned arrays.
void cuda_triad(const Exec& exec, int64_t count, const float* b, const float* c, float* a);

}  // namespace kernels
