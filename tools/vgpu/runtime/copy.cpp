// Copies in all their shapes.
#include "runtime/copy.h"

#include <cstring>

#include "core/report.h"
#include "runtime/capture.h"
#include "runtime/context.h"
#include "runtime/device.h"
#include "runtime/lazy.h"
#include "runtime/memory.h"
#include "runtime/stream.h"

namespace vgpu::runtime {
namespace {

uint64_t extent(const Region& region, uint64_t width, uint64_t height, uint64_t depth) {
  return (depth - 1) * region.slice + (height - 1) * region.pitch + width;
}

// Does each side lie where the direction says?
bool sides_fit(const CopyWork& work) {
  const uint64_t to = work.to.address, from = work.from.address;
  switch (work.kind) {
    case cudaMemcpyHostToHost:
      return host_accessible(to) && host_accessible(from);
    case cudaMemcpyHostToDevice:
      return !pageable(to) && host_accessible(from);
    case cudaMemcpyDeviceToHost:
      return host_accessible(to) && !pageable(from);
    case cudaMemcpyDeviceToDevice:
      return !pageable(to) && !pageable(from);
    default:
      return true;
  }
}

void take_source(CopyWork& work) {
  work.staged.resize(work.bytes());
  uint8_t* out = work.staged.data();
  for (uint64_t z = 0; z < work.depth; z++) {
    for (uint64_t y = 0; y < work.height; y++, out += work.width)
      std::memcpy(
          out, reinterpret_cast<const void*>(work.from.address + z * work.from.slice + y * work.from.pitch),
          work.width);
  }
}

// A device-to-device copy or a memset is ordered by its stream alone; everything else that is called
// synchronous is.
bool touches_host(const CopyWork& work) {
  return host_accessible(work.to.address) || host_accessible(work.from.address);
}

}  // namespace

cudaError_t check_copy(const CopyWork& work) {
  if (static_cast<unsigned>(work.kind) > cudaMemcpyDefault) return cudaErrorInvalidMemcpyDirection;
  if (work.to.address == 0 || work.from.address == 0) return cudaErrorInvalidValue;
  if (work.height > 1 && (work.width > work.to.pitch || work.width > work.from.pitch))
    return cudaErrorInvalidPitchValue;
  const uint64_t to = extent(work.to, work.width, work.height, work.depth);
  const uint64_t from = extent(work.from, work.width, work.height, work.depth);
  if (!range_is_valid(work.to.address, to, "destination of a copy")) return cudaErrorInvalidValue;
  if (!range_is_valid(work.from.address, from, "source of a copy")) return cudaErrorInvalidValue;
  if (!sides_fit(work)) {
    report_line("a copy's addresses contradict its cudaMemcpyKind: " + describe(work));
    return cudaErrorInvalidValue;
  }
  return cudaSuccess;
}

cudaError_t submit_copy(cudaStream_t handle, CopyWork work, bool synchronous) {
  Stream* stream = stream_of(handle);
  if (stream == nullptr) return cudaErrorInvalidResourceHandle;
  if (work.bytes() == 0) return cudaSuccess;
  if (const cudaError_t error = check_copy(work); error != cudaSuccess) return error;
  if (stream->capture)
    return synchronous ? refuse_in_capture(*stream) : capture_work(*stream, std::move(work));
  if (const cudaError_t error = check_legacy_use(*stream); error != cudaSuccess) return error;
  if (synchronous) {
    if (const cudaError_t error = check_unsafe_call(); error != cudaSuccess) return error;
  }
  bool wait = synchronous && touches_host(work);
  if (lazy_mode() && !wait) {
    // Pageable memory is staged: the source is read during the call, the destination complete when it
    // returns.
    if (pageable(work.to.address)) wait = true;
    if (!wait && pageable(work.from.address)) take_source(work);
  }
  return submit_uncaptured(*stream, std::move(work), wait ? Wait::Yes : Wait::No);
}

CopyWork flat_copy(uint64_t to, uint64_t from, size_t bytes, cudaMemcpyKind kind) {
  CopyWork work;
  work.to = {to, bytes, bytes};
  work.from = {from, bytes, bytes};
  work.width = bytes;
  work.kind = kind;
  return work;
}

cudaError_t symbol_range(const void* variable, size_t count, size_t offset, uint64_t& address) {
  Symbol* symbol = Registry::instance().symbol(variable);
  if (symbol == nullptr) return cudaErrorInvalidSymbol;
  if (const cudaError_t error = symbol->address(address); error != cudaSuccess) return error;
  if (offset > symbol->size || count > symbol->size - offset) return cudaErrorInvalidValue;
  address += offset;
  return cudaSuccess;
}

cudaError_t pitched_copy(const cudaMemcpy3DParms& p, CopyWork& work) {
  if (p.srcArray != nullptr || p.dstArray != nullptr) {
    report_line("copies of cudaArray are not implemented by the virtual GPU");
    return cudaErrorNotSupported;
  }
  const auto region = [](const cudaPitchedPtr& pointer, const cudaPos& at) {
    const uint64_t slice = pointer.pitch * pointer.ysize;
    return Region{address_of(pointer.ptr) + at.x + at.y * pointer.pitch + at.z * slice, pointer.pitch, slice};
  };
  if (p.srcPtr.ptr == nullptr || p.dstPtr.ptr == nullptr) return cudaErrorInvalidValue;
  work.to = region(p.dstPtr, p.dstPos);
  work.from = region(p.srcPtr, p.srcPos);
  work.width = p.extent.width;
  work.height = p.extent.height;
  work.depth = p.extent.depth;
  work.kind = p.kind;
  const bool rows = work.height > 1 || work.depth > 1;
  if (rows && (p.extent.width + p.srcPos.x > p.srcPtr.pitch || p.extent.width + p.dstPos.x > p.dstPtr.pitch))
    return cudaErrorInvalidPitchValue;
  return cudaSuccess;
}

}  // namespace vgpu::runtime

using namespace vgpu::runtime;

namespace {

cudaError_t copy_2d(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width,
                    size_t height, cudaMemcpyKind kind, cudaStream_t stream, bool synchronous) {
  CopyWork work = flat_copy(address_of(to), address_of(from), width, kind);
  work.to.pitch = to_pitch;
  work.from.pitch = from_pitch;
  work.height = height;
  if (width > to_pitch || width > from_pitch) return cudaErrorInvalidPitchValue;
  return submit_copy(stream, std::move(work), synchronous);
}

cudaError_t copy_3d(const cudaMemcpy3DParms* parameters, cudaStream_t stream, bool synchronous) {
  if (parameters == nullptr) return cudaErrorInvalidValue;
  CopyWork work;
  const cudaError_t error = pitched_copy(*parameters, work);
  return error != cudaSuccess ? error : submit_copy(stream, std::move(work), synchronous);
}

cudaError_t copy_3d_peer(const cudaMemcpy3DPeerParms* p, cudaStream_t stream, bool synchronous) {
  if (p == nullptr) return cudaErrorInvalidValue;
  if (p->srcDevice != 0 || p->dstDevice != 0) return cudaErrorInvalidDevice;
  const cudaMemcpy3DParms plain{p->srcArray, p->srcPos, p->srcPtr, p->dstArray,
                                p->dstPos,   p->dstPtr, p->extent, cudaMemcpyDeviceToDevice};
  return copy_3d(&plain, stream, synchronous);
}

cudaError_t copy_to_symbol(const void* symbol, const void* from, size_t count, size_t offset,
                           cudaMemcpyKind kind, cudaStream_t stream, bool synchronous) {
  uint64_t address = 0;
  if (kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyHostToHost) return cudaErrorInvalidMemcpyDirection;
  const cudaError_t error = symbol_range(symbol, count, offset, address);
  return error != cudaSuccess
             ? error
             : submit_copy(stream, flat_copy(address, address_of(from), count, kind), synchronous);
}

cudaError_t copy_from_symbol(void* to, const void* symbol, size_t count, size_t offset, cudaMemcpyKind kind,
                             cudaStream_t stream, bool synchronous) {
  uint64_t address = 0;
  if (kind == cudaMemcpyHostToDevice || kind == cudaMemcpyHostToHost) return cudaErrorInvalidMemcpyDirection;
  const cudaError_t error = symbol_range(symbol, count, offset, address);
  return error != cudaSuccess
             ? error
             : submit_copy(stream, flat_copy(address_of(to), address, count, kind), synchronous);
}

}  // namespace

VGPU_API cudaError_t cudaMemcpy(void* to, const void* from, size_t count, cudaMemcpyKind kind) {
  return api(
      [&] { return submit_copy(nullptr, flat_copy(address_of(to), address_of(from), count, kind), true); });
}

VGPU_API cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t count, cudaMemcpyKind kind,
                                     cudaStream_t stream) {
  return api(
      [&] { return submit_copy(stream, flat_copy(address_of(to), address_of(from), count, kind), false); });
}

VGPU_API cudaError_t cudaMemcpyPeer(void* to, int to_device, const void* from, int from_device,
                                    size_t count) {
  return api([&] {
    if (to_device != 0 || from_device != 0) return cudaErrorInvalidDevice;
    return submit_copy(nullptr, flat_copy(address_of(to), address_of(from), count, cudaMemcpyDeviceToDevice),
                       true);
  });
}

VGPU_API cudaError_t cudaMemcpyPeerAsync(void* to, int to_device, const void* from, int from_device,
                                         size_t count, cudaStream_t stream) {
  return api([&] {
    if (to_device != 0 || from_device != 0) return cudaErrorInvalidDevice;
    return submit_copy(stream, flat_copy(address_of(to), address_of(from), count, cudaMemcpyDeviceToDevice),
                       false);
  });
}

VGPU_API cudaError_t cudaMemcpy2D(void* to, size_t to_pitch, const void* from, size_t from_pitch,
                                  size_t width, size_t height, cudaMemcpyKind kind) {
  return api([&] { return copy_2d(to, to_pitch, from, from_pitch, width, height, kind, nullptr, true); });
}

VGPU_API cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch,
                                       size_t width, size_t height, cudaMemcpyKind kind,
                                       cudaStream_t stream) {
  return api([&] { return copy_2d(to, to_pitch, from, from_pitch, width, height, kind, stream, false); });
}

VGPU_API cudaError_t cudaMemcpy3D(const cudaMemcpy3DParms* parameters) {
  return api([&] { return copy_3d(parameters, nullptr, true); });
}

VGPU_API cudaError_t cudaMemcpy3DAsync(const cudaMemcpy3DParms* parameters, cudaStream_t stream) {
  return api([&] { return copy_3d(parameters, stream, false); });
}

VGPU_API cudaError_t cudaMemcpy3DPeer(const cudaMemcpy3DPeerParms* parameters) {
  return api([&] { return copy_3d_peer(parameters, nullptr, true); });
}

VGPU_API cudaError_t cudaMemcpy3DPeerAsync(const cudaMemcpy3DPeerParms* parameters, cudaStream_t stream) {
  return api([&] { return copy_3d_peer(parameters, stream, false); });
}

VGPU_API cudaError_t cudaMemcpyToSymbol(const void* symbol, const void* from, size_t count, size_t offset,
                                        cudaMemcpyKind kind) {
  return api([&] { return copy_to_symbol(symbol, from, count, offset, kind, nullptr, true); });
}

VGPU_API cudaError_t cudaMemcpyToSymbolAsync(const void* symbol, const void* from, size_t count,
                                             size_t offset, cudaMemcpyKind kind, cudaStream_t stream) {
  return api([&] { return copy_to_symbol(symbol, from, count, offset, kind, stream, false); });
}

VGPU_API cudaError_t cudaMemcpyFromSymbol(void* to, const void* symbol, size_t count, size_t offset,
                                          cudaMemcpyKind kind) {
  return api([&] { return copy_from_symbol(to, symbol, count, offset, kind, nullptr, true); });
}

VGPU_API cudaError_t cudaMemcpyFromSymbolAsync(void* to, const void* symbol, size_t count, size_t offset,
                                               cudaMemcpyKind kind, cudaStream_t stream) {
  return api([&] { return copy_from_symbol(to, symbol, count, offset, kind, stream, false); });
}

VGPU_API cudaError_t cudaMemcpyBatchAsync(void* const* to, const void* const* from, const size_t* sizes,
                                          size_t count, cudaMemcpyAttributes*, size_t*, size_t,
                                          cudaStream_t stream) {
  return api([&] {
    if (to == nullptr || from == nullptr || sizes == nullptr || stream_of(stream) == nullptr ||
        stream_of(stream)->legacy)
      return cudaErrorInvalidValue;
    for (size_t i = 0; i < count; i++) {
      const cudaError_t error = submit_copy(
          stream, flat_copy(address_of(to[i]), address_of(from[i]), sizes[i], cudaMemcpyDefault), false);
      if (error != cudaSuccess) return error;
    }
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaGetSymbolAddress(void** result, const void* symbol) {
  return api([&] {
    uint64_t address = 0;
    if (result == nullptr) return cudaErrorInvalidValue;
    const cudaError_t error = symbol_range(symbol, 0, 0, address);
    if (error == cudaSuccess) *result = reinterpret_cast<void*>(address);
    return error;
  });
}

VGPU_API cudaError_t cudaGetSymbolSize(size_t* size, const void* variable) {
  return api([&] {
    const Symbol* symbol = Registry::instance().symbol(variable);
    if (size == nullptr) return cudaErrorInvalidValue;
    if (symbol == nullptr) return cudaErrorInvalidSymbol;
    *size = symbol->size;
    return cudaSuccess;
  });
}
