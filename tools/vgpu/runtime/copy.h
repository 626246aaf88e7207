// Copies and memsets: checks of their parameters and their way into a stream.
#pragma once

#include <cuda_runtime_api.h>

#include "runtime/work.h"

namespace vgpu::runtime {

// Directions, pitches and address ranges; prints why not.
cudaError_t check_copy(const CopyWork& work);
cudaError_t check_fill(const FillWork& work);

// `synchronous`: the call returns when the host may use the result.
cudaError_t submit_copy(cudaStream_t stream, CopyWork work, bool synchronous);
cudaError_t submit_fill(cudaStream_t stream, FillWork work, bool synchronous);

// The address of `count` bytes at `offset` in a variable of the program.
cudaError_t symbol_range(const void* symbol, size_t count, size_t offset, uint64_t& address);

CopyWork flat_copy(uint64_t to, uint64_t from, size_t bytes, cudaMemcpyKind kind);
// Pitched blocks of cudaMemcpy3D; cudaErrorNotSupported for arrays.
cudaError_t pitched_copy(const cudaMemcpy3DParms& parameters, CopyWork& work);

}  // namespace vgpu::runtime
