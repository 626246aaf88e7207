// Memsets, by bytes; graph nodes may set elements of two and four bytes.
#include "runtime/capture.h"
#include "runtime/context.h"
#include "runtime/copy.h"
#include "runtime/memory.h"
#include "runtime/stream.h"

namespace vgpu::runtime {

cudaError_t check_fill(const FillWork& work) {
  if (work.to.address == 0 || pageable(work.to.address)) return cudaErrorInvalidValue;
  if (work.height > 1 && work.width > work.to.pitch) return cudaErrorInvalidPitchValue;
  const uint64_t extent = (work.depth - 1) * work.to.slice + (work.height - 1) * work.to.pitch + work.width;
  return range_is_valid(work.to.address, extent, "memset") ? cudaSuccess : cudaErrorInvalidValue;
}

cudaError_t submit_fill(cudaStream_t stream, FillWork work, bool synchronous) {
  if (stream_of(stream) == nullptr) return cudaErrorInvalidResourceHandle;
  if (work.width * work.height * work.depth == 0) return cudaSuccess;
  if (const cudaError_t error = check_fill(work); error != cudaSuccess) return error;
  // Memory of the host is set before a synchronous call returns, memory of the device some time later.
  const bool wait = synchronous && host_accessible(work.to.address);
  return submit(stream, std::move(work), wait ? Wait::Yes : Wait::No);
}

}  // namespace vgpu::runtime

using namespace vgpu::runtime;

namespace {

cudaError_t fill(void* pointer, size_t pitch, size_t slice, int value, cudaExtent extent, cudaStream_t stream,
                 bool synchronous) {
  return api([&] {
    FillWork work;
    work.to = {address_of(pointer), pitch, slice};
    work.value = static_cast<uint32_t>(value) & 0xFF;
    work.width = extent.width;
    work.height = extent.height;
    work.depth = extent.depth;
    return submit_fill(stream, work, synchronous);
  });
}

}  // namespace

VGPU_API cudaError_t cudaMemset(void* pointer, int value, size_t count) {
  return fill(pointer, count, count, value, {count, 1, 1}, nullptr, true);
}

VGPU_API cudaError_t cudaMemsetAsync(void* pointer, int value, size_t count, cudaStream_t stream) {
  return fill(pointer, count, count, value, {count, 1, 1}, stream, false);
}

VGPU_API cudaError_t cudaMemset2D(void* pointer, size_t pitch, int value, size_t width, size_t height) {
  return fill(pointer, pitch, pitch * height, value, {width, height, 1}, nullptr, true);
}

VGPU_API cudaError_t cudaMemset2DAsync(void* pointer, size_t pitch, int value, size_t width, size_t height,
                                       cudaStream_t stream) {
  return fill(pointer, pitch, pitch * height, value, {width, height, 1}, stream, false);
}

VGPU_API cudaError_t cudaMemset3D(cudaPitchedPtr pointer, int value, cudaExtent extent) {
  return fill(pointer.ptr, pointer.pitch, pointer.pitch * pointer.ysize, value, extent, nullptr, true);
}

VGPU_API cudaError_t cudaMemset3DAsync(cudaPitchedPtr pointer, int value, cudaExtent extent,
                                       cudaStream_t stream) {
  return fill(pointer.ptr, pointer.pitch, pointer.pitch * pointer.ysize, value, extent, stream, false);
}
