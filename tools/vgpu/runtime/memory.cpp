// Allocations: device, pinned, managed and registered memory, and what pointers are.
#include "runtime/memory.h"

#include <cstdio>
#include <map>
#include <string>

#include "core/report.h"
#include "runtime/capture.h"
#include "runtime/context.h"
#include "runtime/device.h"
#include "runtime/graph.h"
#include "runtime/lazy.h"
#include "runtime/stream.h"

namespace vgpu::runtime {
namespace {

constexpr uint64_t kPage = 4096, kDeviceAlignment = 256;

std::map<uint64_t, Block>& blocks() {
  static auto* all = new std::map<uint64_t, Block>;
  return *all;
}

std::string hex(uint64_t address) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(address));
  return text;
}

}  // namespace

Block* block_starting(uint64_t address) {
  const auto found = blocks().find(address);
  return found == blocks().end() ? nullptr : &found->second;
}

uint64_t allocate_block(uint64_t bytes, uint64_t alignment, MemoryKind kind, const char* name,
                        uint32_t flags) {
  const uint64_t address = DeviceMemory::instance().allocate(bytes, alignment, kind, name);
  if (address != 0) blocks()[address] = {address, bytes, kind, flags, nullptr, false};
  return address;
}

cudaError_t free_block(uint64_t address) {
  const auto found = blocks().find(address);
  if (found == blocks().end()) return cudaErrorInvalidValue;
  if (found->second.pool != nullptr) count_out_of_pool(*found->second.pool, found->second.bytes);
  blocks().erase(found);
  return DeviceMemory::instance().release(address) ? cudaSuccess : cudaErrorInvalidValue;
}

void forget_blocks() {
  blocks().clear();
}

bool pageable(uint64_t address) {
  const DeviceMemory& memory = DeviceMemory::instance();
  return !memory.in_arena(address) && memory.find(address) == nullptr;
}

bool host_accessible(uint64_t address) {
  const DeviceMemory& memory = DeviceMemory::instance();
  const Allocation* allocation = memory.find(address);
  if (allocation == nullptr) return !memory.in_arena(address);
  return allocation->kind == MemoryKind::Pinned || allocation->kind == MemoryKind::Managed ||
         allocation->kind == MemoryKind::Registered || Registry::instance().managed_at(address) != nullptr;
}

bool range_is_valid(uint64_t address, uint64_t bytes, const char* what) {
  const DeviceMemory& memory = DeviceMemory::instance();
  const Allocation* allocation = memory.find(address);
  if (allocation == nullptr) {
    if (!memory.in_arena(address)) return true;  // pageable host memory: nobody knows its bounds
    report_line(std::string(what) + ": " + hex(address) +
                " is no valid address: " + memory.describe(address));
    return false;
  }
  if (bytes <= allocation->end - address) return true;
  // Registered memory may go on as ordinary memory of the process.
  if (allocation->kind == MemoryKind::Registered) return true;
  report_line(std::string(what) + " of " + std::to_string(bytes) + " bytes at " + hex(address) +
              " runs over by " + std::to_string(bytes - (allocation->end - address)) + ": the " +
              std::to_string(allocation->end - allocation->begin) + "-byte allocation #" +
              std::to_string(allocation->number) + " (" + allocation->name + ") ends before");
  return false;
}

void for_each_block(void (*visit)(const Block& block, void* data), void* data) {
  for (const auto& [address, block] : blocks()) visit(block, data);
}

}  // namespace vgpu::runtime

using namespace vgpu::runtime;
using vgpu::DeviceMemory;
using vgpu::MemoryKind;

namespace {

cudaError_t allocate(void** result, uint64_t bytes, uint64_t alignment, MemoryKind kind, const char* name,
                     uint32_t flags = 0) {
  if (result == nullptr) return cudaErrorInvalidValue;
  if (const cudaError_t error = check_unsafe_call(); error != cudaSuccess) return error;
  *result = nullptr;
  if (bytes == 0) return cudaSuccess;
  const uint64_t address = allocate_block(bytes, alignment, kind, name, flags);
  if (address == 0) return cudaErrorMemoryAllocation;
  *result = reinterpret_cast<void*>(address);
  return cudaSuccess;
}

// cudaFree, cudaFreeHost: waits for the device, which may still use the memory.
cudaError_t release(void* pointer, bool host, const char* name) {
  if (pointer == nullptr) return cudaSuccess;
  if (const cudaError_t error = check_unsafe_call(); error != cudaSuccess) return error;
  if (lazy_mode()) {
    if (const cudaError_t error = run_everything(); error != cudaSuccess) return error;
  }
  const uint64_t address = address_of(pointer);
  if (const auto graph_memory = graph_allocation_at(address)) return free_in_graph(*graph_memory);
  const Block* block = block_starting(address);
  const bool pinned = block != nullptr && block->kind == MemoryKind::Pinned;
  if (block == nullptr || pinned != host || block->kind == MemoryKind::Registered) {
    vgpu::report_line(std::string(name) + " of " + hex(address) + ": " +
                      DeviceMemory::instance().describe(address));
    return cudaErrorInvalidValue;
  }
  return free_block(address);
}

}  // namespace

VGPU_API cudaError_t cudaMalloc(void** result, size_t bytes) {
  return api([&] { return allocate(result, bytes, kDeviceAlignment, MemoryKind::Device, "cudaMalloc"); });
}

VGPU_API cudaError_t cudaFree(void* pointer) {
  return api([&] { return release(pointer, false, "cudaFree"); });
}

VGPU_API cudaError_t cudaMallocHost(void** result, size_t bytes) {
  return api([&] { return allocate(result, bytes, kPage, MemoryKind::Pinned, "cudaMallocHost"); });
}

VGPU_API cudaError_t cudaHostAlloc(void** result, size_t bytes, unsigned flags) {
  return api([&] {
    constexpr unsigned kKnown = cudaHostAllocPortable | cudaHostAllocMapped | cudaHostAllocWriteCombined;
    if ((flags & ~kKnown) != 0) return cudaErrorInvalidValue;
    return allocate(result, bytes, kPage, MemoryKind::Pinned, "cudaHostAlloc", flags);
  });
}

VGPU_API cudaError_t cudaFreeHost(void* pointer) {
  return api([&] { return release(pointer, true, "cudaFreeHost"); });
}

VGPU_API cudaError_t cudaMallocManaged(void** result, size_t bytes, unsigned flags) {
  return api([&] {
    if (flags != cudaMemAttachGlobal && flags != cudaMemAttachHost) return cudaErrorInvalidValue;
    if (bytes == 0) return cudaErrorInvalidValue;
    return allocate(result, bytes, kPage, MemoryKind::Managed, "cudaMallocManaged", flags);
  });
}

VGPU_API cudaError_t cudaMallocPitch(void** result, size_t* pitch, size_t width, size_t height) {
  return api([&] {
    if (result == nullptr || pitch == nullptr) return cudaErrorInvalidValue;
    *pitch = (width + kPitchAlignment - 1) / kPitchAlignment * kPitchAlignment;
    return allocate(result, *pitch * height, kPitchAlignment, MemoryKind::Device, "cudaMallocPitch");
  });
}

VGPU_API cudaError_t cudaMalloc3D(cudaPitchedPtr* result, cudaExtent extent) {
  return api([&] {
    if (result == nullptr) return cudaErrorInvalidValue;
    const size_t pitch = (extent.width + kPitchAlignment - 1) / kPitchAlignment * kPitchAlignment;
    void* pointer = nullptr;
    const cudaError_t error = allocate(&pointer, pitch * extent.height * extent.depth, kPitchAlignment,
                                       MemoryKind::Device, "cudaMalloc3D");
    if (error == cudaSuccess) *result = {pointer, pitch, extent.width, extent.height};
    return error;
  });
}

VGPU_API cudaError_t cudaHostRegister(void* pointer, size_t bytes, unsigned flags) {
  return api([&] {
    constexpr unsigned kKnown = cudaHostRegisterPortable | cudaHostRegisterMapped | cudaHostRegisterIoMemory |
                                cudaHostRegisterReadOnly;
    if (pointer == nullptr || bytes == 0 || (flags & ~kKnown) != 0) return cudaErrorInvalidValue;
    if (const cudaError_t error = check_unsafe_call(); error != cudaSuccess) return error;
    const uint64_t address = address_of(pointer);
    if (DeviceMemory::instance().in_arena(address) || !DeviceMemory::instance().register_host(address, bytes))
      return cudaErrorHostMemoryAlreadyRegistered;
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaHostUnregister(void* pointer) {
  return api([&] {
    if (pointer == nullptr) return cudaErrorInvalidValue;
    if (lazy_mode()) run_everything();
    if (!DeviceMemory::instance().unregister_host(address_of(pointer)))
      return cudaErrorHostMemoryNotRegistered;
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaHostGetDevicePointer(void** result, void* host, unsigned flags) {
  return api([&] {
    if (result == nullptr || host == nullptr || flags != 0) return cudaErrorInvalidValue;
    const vgpu::Allocation* allocation = DeviceMemory::instance().find(address_of(host));
    if (allocation == nullptr || !host_accessible(address_of(host))) return cudaErrorInvalidValue;
    *result = host;
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaHostGetFlags(unsigned* flags, void* host) {
  return api([&] {
    if (flags == nullptr || host == nullptr) return cudaErrorInvalidValue;
    const vgpu::Allocation* allocation = DeviceMemory::instance().find(address_of(host));
    if (allocation == nullptr || !host_accessible(address_of(host))) return cudaErrorInvalidValue;
    const Block* block = block_starting(allocation->begin);
    *flags =
        (block == nullptr ? 0 : block->flags) | cudaHostAllocMapped;  // with unified addressing all is mapped
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  return api([&] {
    if (free == nullptr || total == nullptr) return cudaErrorInvalidValue;
    const DeviceMemory& memory = DeviceMemory::instance();
    *total = memory.capacity();
    *free = memory.capacity() - memory.used();
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer) {
  return api([&] {
    if (attributes == nullptr) return cudaErrorInvalidValue;
    *attributes = {};
    auto* plain = const_cast<void*>(pointer);
    const uint64_t address = address_of(pointer);
    const vgpu::Allocation* allocation = DeviceMemory::instance().find(address);
    if (allocation == nullptr) {
      attributes->type = cudaMemoryTypeUnregistered;
      attributes->device = cudaInvalidDeviceId;
      attributes->hostPointer = DeviceMemory::instance().in_arena(address) ? nullptr : plain;
      return cudaSuccess;
    }
    const bool host = allocation->kind == MemoryKind::Pinned || allocation->kind == MemoryKind::Registered;
    const bool managed =
        allocation->kind == MemoryKind::Managed || Registry::instance().managed_at(address) != nullptr;
    attributes->type = managed ? cudaMemoryTypeManaged : host ? cudaMemoryTypeHost : cudaMemoryTypeDevice;
    attributes->device = 0;
    attributes->devicePointer = plain;
    attributes->hostPointer = host || managed ? plain : nullptr;
    return cudaSuccess;
  });
}
