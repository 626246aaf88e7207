// Advice about memory: prefetching and placement mean nothing on this device, but their parameters are
// checked.
#include <algorithm>
#include <cstring>

#include "runtime/context.h"
#include "runtime/memory.h"
#include "runtime/stream.h"

using namespace vgpu::runtime;
using vgpu::Allocation;
using vgpu::DeviceMemory;
using vgpu::MemoryKind;

namespace {

bool is_managed(const void* pointer, size_t bytes) {
  const uint64_t address = address_of(pointer);
  const Symbol* symbol = Registry::instance().managed_at(address);
  const Allocation* allocation = DeviceMemory::instance().find(address);
  if (allocation == nullptr || bytes == 0 || bytes > allocation->end - address) return false;
  return symbol != nullptr || allocation->kind == MemoryKind::Managed;
}

cudaError_t check_location(const cudaMemLocation& location) {
  switch (location.type) {
    case cudaMemLocationTypeDevice:
      return location.id == 0 ? cudaSuccess : cudaErrorInvalidDevice;
    case cudaMemLocationTypeHost:
    case cudaMemLocationTypeHostNuma:
    case cudaMemLocationTypeHostNumaCurrent:
      return cudaSuccess;
    default:
      return cudaErrorInvalidValue;
  }
}

}  // namespace

VGPU_API cudaError_t cudaMemPrefetchAsync(const void* pointer, size_t bytes, cudaMemLocation location,
                                          unsigned flags, cudaStream_t stream) {
  return api([&] {
    if (flags != 0 || !is_managed(pointer, bytes)) return cudaErrorInvalidValue;
    const cudaError_t error = check_location(location);
    return error != cudaSuccess ? error : submit(stream, EmptyWork{});
  });
}

VGPU_API cudaError_t cudaMemAdvise(const void* pointer, size_t bytes, cudaMemoryAdvise advice,
                                   cudaMemLocation location) {
  return api([&] {
    if (!is_managed(pointer, bytes)) return cudaErrorInvalidValue;
    if (advice < cudaMemAdviseSetReadMostly || advice > cudaMemAdviseUnsetAccessedBy)
      return cudaErrorInvalidValue;
    const bool anywhere = advice == cudaMemAdviseSetReadMostly || advice == cudaMemAdviseUnsetReadMostly ||
                          advice == cudaMemAdviseUnsetPreferredLocation;
    return anywhere ? cudaSuccess : check_location(location);
  });
}

VGPU_API cudaError_t cudaMemRangeGetAttribute(void* data, size_t size, cudaMemRangeAttribute attribute,
                                              const void* pointer, size_t bytes) {
  return api([&] {
    if (data == nullptr || size < sizeof(int) || !is_managed(pointer, bytes)) return cudaErrorInvalidValue;
    // No advice is kept: not read-mostly, no preferred location, no accessing devices.
    const int value = attribute == cudaMemRangeAttributeReadMostly ? 0 : cudaInvalidDeviceId;
    std::memset(data, 0, size);
    std::memcpy(data, &value, sizeof value);
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaStreamAttachMemAsync(cudaStream_t stream, void* pointer, size_t, unsigned flags) {
  return api([&] {
    constexpr unsigned kKnown = cudaMemAttachGlobal | cudaMemAttachHost | cudaMemAttachSingle;
    if ((flags & ~kKnown) != 0 || flags == 0 || !is_managed(pointer, 1)) return cudaErrorInvalidValue;
    return submit(stream, EmptyWork{});
  });
}
