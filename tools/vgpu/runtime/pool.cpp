// Stream-ordered allocation and the memory pools behind it. A pool here is a set of counters: memory comes
// from the device at once and goes back to it when the free is reached in its stream.
#include <algorithm>
#include <vector>

#include "core/report.h"
#include "runtime/capture.h"
#include "runtime/context.h"
#include "runtime/graph.h"
#include "runtime/memory.h"
#include "runtime/stream.h"

namespace vgpu::runtime {
namespace {

constexpr uint64_t kAlignment = 512;

std::vector<Pool*>& pools() {
  static auto* all = new std::vector<Pool*>;
  return *all;
}

Pool*& current_pool() {
  static Pool* pool = default_pool();
  return pool;
}

Pool* pool_of(cudaMemPool_t handle) {
  auto* pool = reinterpret_cast<Pool*>(handle);
  return std::find(pools().begin(), pools().end(), pool) == pools().end() ? nullptr : pool;
}

cudaMemPool_t handle_of(Pool* pool) {
  return reinterpret_cast<cudaMemPool_t>(pool);
}

cudaError_t allocate_captured(Stream& stream, uint64_t bytes, void** result) {
  const auto allocation = new_graph_allocation(bytes);
  if (allocation == nullptr) return cudaErrorMemoryAllocation;
  *result = reinterpret_cast<void*>(allocation->address);
  return capture_work(stream, AllocateWork{allocation->address, bytes, allocation});
}

cudaError_t allocate_async(void** result, size_t bytes, Pool& pool, cudaStream_t handle) {
  Stream* stream = stream_of(handle);
  if (result == nullptr) return cudaErrorInvalidValue;
  if (stream == nullptr) return cudaErrorInvalidResourceHandle;
  *result = nullptr;
  if (bytes == 0) return cudaSuccess;
  if (stream->capture) return allocate_captured(*stream, bytes, result);
  if (pool.properties.maxSize != 0 && pool.used + bytes > pool.properties.maxSize)
    return cudaErrorMemoryAllocation;
  const uint64_t address = allocate_block(bytes, kAlignment, MemoryKind::Device, "cudaMallocAsync", 0);
  if (address == 0) return cudaErrorMemoryAllocation;
  block_starting(address)->pool = &pool;
  count_in_pool(pool, bytes);
  *result = reinterpret_cast<void*>(address);
  return submit_uncaptured(*stream, AllocateWork{address, bytes, nullptr}, Wait::No);
}

cudaError_t free_async(void* pointer, cudaStream_t handle) {
  Stream* stream = stream_of(handle);
  if (stream == nullptr) return cudaErrorInvalidResourceHandle;
  if (pointer == nullptr) return cudaSuccess;
  const uint64_t address = address_of(pointer);
  if (const auto allocation = graph_allocation_at(address))
    return submit(handle, FreeWork{address, allocation->bytes, allocation});
  Block* block = block_starting(address);
  if (block == nullptr || block->kind != MemoryKind::Device || block->free_queued) {
    report_line("cudaFreeAsync: " + DeviceMemory::instance().describe(address));
    return cudaErrorInvalidValue;
  }
  if (stream->capture) return cudaErrorInvalidValue;  // only the graph's own memory can be freed by a graph
  block->free_queued = true;
  return submit_uncaptured(*stream, FreeWork{address, block->bytes, nullptr}, Wait::No);
}

cudaError_t get_attribute(const Pool& pool, cudaMemPoolAttr attribute, void* value) {
  switch (attribute) {
    case cudaMemPoolReuseFollowEventDependencies:
      *static_cast<int*>(value) = pool.follow_events;
      break;
    case cudaMemPoolReuseAllowOpportunistic:
      *static_cast<int*>(value) = pool.opportunistic;
      break;
    case cudaMemPoolReuseAllowInternalDependencies:
      *static_cast<int*>(value) = pool.internal_dependencies;
      break;
    case cudaMemPoolAttrReleaseThreshold:
      *static_cast<uint64_t*>(value) = pool.release_threshold;
      break;
    case cudaMemPoolAttrReservedMemCurrent:
    case cudaMemPoolAttrUsedMemCurrent:
      *static_cast<uint64_t*>(value) = pool.used;
      break;
    case cudaMemPoolAttrReservedMemHigh:
      *static_cast<uint64_t*>(value) = pool.reserved_high;
      break;
    case cudaMemPoolAttrUsedMemHigh:
      *static_cast<uint64_t*>(value) = pool.used_high;
      break;
    default:
      return cudaErrorInvalidValue;
  }
  return cudaSuccess;
}

cudaError_t set_attribute(Pool& pool, cudaMemPoolAttr attribute, const void* value) {
  switch (attribute) {
    case cudaMemPoolReuseFollowEventDependencies:
      pool.follow_events = *static_cast<const int*>(value);
      break;
    case cudaMemPoolReuseAllowOpportunistic:
      pool.opportunistic = *static_cast<const int*>(value);
      break;
    case cudaMemPoolReuseAllowInternalDependencies:
      pool.internal_dependencies = *static_cast<const int*>(value);
      break;
    case cudaMemPoolAttrReleaseThreshold:
      pool.release_threshold = *static_cast<const uint64_t*>(value);
      break;
    case cudaMemPoolAttrReservedMemHigh:
    case cudaMemPoolAttrUsedMemHigh:
      if (*static_cast<const uint64_t*>(value) != 0) return cudaErrorInvalidValue;
      (attribute == cudaMemPoolAttrUsedMemHigh ? pool.used_high : pool.reserved_high) = pool.used;
      break;
    default:
      return cudaErrorInvalidValue;
  }
  return cudaSuccess;
}

void remove_pool(Pool* pool) {
  std::erase(pools(), pool);
  if (current_pool() == pool) current_pool() = default_pool();
  pool->dead = true;
  if (pool->used == 0) delete pool;
}

}  // namespace

Pool* default_pool() {
  static Pool* pool = [] {
    auto* created = new Pool;
    created->properties.allocType = cudaMemAllocationTypePinned;
    created->properties.location = {cudaMemLocationTypeDevice, 0};
    pools().push_back(created);
    return created;
  }();
  return pool;
}

void count_in_pool(Pool& pool, uint64_t bytes) {
  pool.used += bytes;
  pool.used_high = std::max(pool.used_high, pool.used);
  pool.reserved_high = std::max(pool.reserved_high, pool.used);
}

void count_out_of_pool(Pool& pool, uint64_t bytes) {
  pool.used -= std::min(pool.used, bytes);
  if (pool.dead && pool.used == 0) delete &pool;
}

}  // namespace vgpu::runtime

using namespace vgpu::runtime;

namespace {

template <class Body>
cudaError_t pool_api(cudaMemPool_t handle, Body&& body) {
  return api([&] {
    default_pool();
    Pool* pool = pool_of(handle);
    return pool == nullptr ? cudaErrorInvalidValue : body(*pool);
  });
}

}  // namespace

VGPU_API cudaError_t cudaMallocAsync(void** result, size_t bytes, cudaStream_t stream) {
  return api([&] { return allocate_async(result, bytes, *current_pool(), stream); });
}

VGPU_API cudaError_t cudaMallocFromPoolAsync(void** result, size_t bytes, cudaMemPool_t handle,
                                             cudaStream_t stream) {
  return pool_api(handle, [&](Pool& pool) { return allocate_async(result, bytes, pool, stream); });
}

VGPU_API cudaError_t cudaFreeAsync(void* pointer, cudaStream_t stream) {
  return api([&] { return free_async(pointer, stream); });
}

VGPU_API cudaError_t cudaMemPoolCreate(cudaMemPool_t* result, const cudaMemPoolProps* properties) {
  return api([&] {
    if (result == nullptr || properties == nullptr) return cudaErrorInvalidValue;
    if (properties->allocType != cudaMemAllocationTypePinned) return cudaErrorInvalidValue;
    if (properties->location.type != cudaMemLocationTypeDevice || properties->location.id != 0)
      return cudaErrorInvalidValue;
    auto* pool = new Pool;
    pool->properties = *properties;
    pools().push_back(pool);
    *result = handle_of(pool);
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaMemPoolDestroy(cudaMemPool_t handle) {
  return pool_api(handle, [](Pool& pool) {
    if (&pool == default_pool()) return cudaErrorInvalidValue;
    remove_pool(&pool);
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaMemPoolTrimTo(cudaMemPool_t handle, size_t) {
  return pool_api(handle, [](Pool&) { return cudaSuccess; });
}

VGPU_API cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t handle, cudaMemPoolAttr attribute, void* value) {
  return pool_api(handle, [&](Pool& pool) {
    return value == nullptr ? cudaErrorInvalidValue : get_attribute(pool, attribute, value);
  });
}

VGPU_API cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t handle, cudaMemPoolAttr attribute, void* value) {
  return pool_api(handle, [&](Pool& pool) {
    return value == nullptr ? cudaErrorInvalidValue : set_attribute(pool, attribute, value);
  });
}

VGPU_API cudaError_t cudaMemPoolSetAccess(cudaMemPool_t handle, const cudaMemAccessDesc* descriptions,
                                          size_t count) {
  return pool_api(handle, [&](Pool& pool) {
    for (size_t i = 0; i < count; i++) {
      if (descriptions[i].location.type != cudaMemLocationTypeDevice || descriptions[i].location.id != 0)
        return cudaErrorInvalidDevice;
      pool.access = descriptions[i].flags;
    }
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaMemPoolGetAccess(cudaMemAccessFlags* flags, cudaMemPool_t handle, cudaMemLocation*) {
  return pool_api(handle, [&](Pool& pool) {
    if (flags == nullptr) return cudaErrorInvalidValue;
    *flags = pool.access;
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* result, int device) {
  return api([&] {
    if (result == nullptr) return cudaErrorInvalidValue;
    if (device != 0) return cudaErrorInvalidDevice;
    *result = handle_of(default_pool());
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaDeviceGetMemPool(cudaMemPool_t* result, int device) {
  return api([&] {
    if (result == nullptr) return cudaErrorInvalidValue;
    if (device != 0) return cudaErrorInvalidDevice;
    *result = handle_of(current_pool());
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaDeviceSetMemPool(int device, cudaMemPool_t handle) {
  return pool_api(handle, [&](Pool& pool) {
    if (device != 0) return cudaErrorInvalidDevice;
    current_pool() = &pool;
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaMemGetDefaultMemPool(cudaMemPool_t* result, cudaMemLocation* location,
                                              cudaMemAllocationType type) {
  if (location == nullptr || location->type != cudaMemLocationTypeDevice ||
      type != cudaMemAllocationTypePinned)
    return remember(cudaErrorInvalidValue);
  return cudaDeviceGetDefaultMemPool(result, location->id);
}

VGPU_API cudaError_t cudaMemGetMemPool(cudaMemPool_t* result, cudaMemLocation* location,
                                       cudaMemAllocationType type) {
  if (location == nullptr || location->type != cudaMemLocationTypeDevice ||
      type != cudaMemAllocationTypePinned)
    return remember(cudaErrorInvalidValue);
  return cudaDeviceGetMemPool(result, location->id);
}

VGPU_API cudaError_t cudaMemSetMemPool(cudaMemLocation* location, cudaMemAllocationType type,
                                       cudaMemPool_t pool) {
  if (location == nullptr || location->type != cudaMemLocationTypeDevice ||
      type != cudaMemAllocationTypePinned)
    return remember(cudaErrorInvalidValue);
  return cudaDeviceSetMemPool(location->id, pool);
}
