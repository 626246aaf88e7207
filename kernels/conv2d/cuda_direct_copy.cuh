// How the kernels of cuda.direct read a row of an image, whose address may be any.
#pragma once

#include <cstdint>

namespace kernels::cuda {

/// The first of a lane's columns of a row of `count` floats, which a warp reads 32 at a time; below zero
/// there is nothing to read. A row that takes two requests begins at the sector (32 bytes) that holds its
/// first float: then no sector is asked for twice.
__device__ inline int first_column(const float* row, int count) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  return count <= 32 ? lane : lane - static_cast<int>(reinterpret_cast<uintptr_t>(row) / sizeof(float) % 8);
}

}  // namespace kernels::cuda
