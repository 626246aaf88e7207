// Allocations as the API knows them, and the checks of address ranges that copies share.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "core/device_memory.h"

namespace vgpu::runtime {

struct Pool;

struct Block {  // one live allocation
  uint64_t address = 0, bytes = 0;
  MemoryKind kind = MemoryKind::Device;
  uint32_t flags = 0;        // of cudaHostAlloc, cudaHostRegister
  Pool* pool = nullptr;      // cudaMallocAsync
  bool free_queued = false;  // cudaFreeAsync has been called, its turn has not come
};

// nullptr when nothing starts there.
Block* block_starting(uint64_t address);
// 0 when out of memory.
uint64_t allocate_block(uint64_t bytes, uint64_t alignment, MemoryKind kind, const char* name,
                        uint32_t flags);
// cudaErrorInvalidValue when nothing starts there.
cudaError_t free_block(uint64_t address);
void forget_blocks();

// Is the byte in memory that the host may touch: pageable, pinned, managed, registered?
bool host_accessible(uint64_t address);
// Pageable: unknown to the device.
bool pageable(uint64_t address);
// All of [address, address + bytes) must lie in one live allocation where the address is the device's. Prints
// why not.
bool range_is_valid(uint64_t address, uint64_t bytes, const char* what);

// Every managed and pinned block, for the host access checker.
void for_each_block(void (*visit)(const Block& block, void* data), void* data);

struct Pool {  // a cudaMemPool_t points at one
  cudaMemPoolProps properties{};
  uint64_t release_threshold = 0;
  uint64_t used = 0, used_high = 0, reserved_high = 0;
  int follow_events = 1, opportunistic = 1, internal_dependencies = 1;
  cudaMemAccessFlags access = cudaMemAccessFlagsProtReadWrite;
  bool dead = false;  // destroyed while memory is in use
};

Pool* default_pool();
void count_in_pool(Pool& pool, uint64_t bytes);
void count_out_of_pool(Pool& pool, uint64_t bytes);

}  // namespace vgpu::runtime
