// A small program for tests of the runtime: PTX in a fat binary, registered as nvcc's start-up code does it.
#pragma once

#include <cuda_runtime_api.h>

#include <string>
#include <vector>

extern "C" {
void** __cudaRegisterFatBinary(void* fat_binary);
void __cudaRegisterFatBinaryEnd(void** handle);
void __cudaUnregisterFatBinary(void** handle);
void __cudaRegisterFunction(void** handle, const char* host, char* device, const char* name, int limit,
                            uint3* tid, uint3* bid, dim3* block, dim3* grid, int* warp);
void __cudaRegisterVar(void** handle, char* host, char* device, const char* name, int external, size_t size,
                       int constant, int global);
void __cudaRegisterManagedVar(void** handle, void** host, char* device, const char* name, int external,
                              size_t size, int constant, int global);
char __cudaInitModule(void** handle);
cudaError_t __cudaGetKernel(cudaKernel_t* kernel, const void* host);
cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments, size_t shared,
                               cudaStream_t stream);
unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared, CUstream_st* stream);
cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block, size_t* shared, void* stream);
}

namespace vgpu::test {

// scale(p, factor, n): p[i] *= factor; store_at(address): *address = 1; bounded: 64 threads at most; and
// variables.
struct RuntimeProgram {
  char scale = 0, store_at = 0, bounded = 0, big = 0;  // their addresses stand for the host functions
  char table = 0, counter = 0;                         // a __constant__ int[4], a __device__ int = 7
  int* managed = nullptr;                              // a __managed__ int = 5
  void** handle = nullptr;
};

// Registered once for all tests.
RuntimeProgram& runtime_program();
// A program whose fat binary has this text for this architecture; `function` becomes a kernel named "only".
void register_text(const std::string& text, uint32_t architecture, const char* function);

cudaError_t launch_scale(int* p, int factor, int n, cudaStream_t stream);

}  // namespace vgpu::test
