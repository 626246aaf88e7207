// The streams there are, submission, and waiting.
#include "runtime/stream.h"

#include <algorithm>

#include "core/report.h"
#include "runtime/capture.h"
#include "runtime/context.h"
#include "runtime/lazy.h"

namespace vgpu::runtime {
namespace {

uint64_t next_id = 1;

std::vector<Stream*>& streams() {
  static auto* all = new std::vector<Stream*>;
  return *all;
}

Stream* add_stream() {
  auto* stream = new Stream;
  stream->id = next_id++;
  stream->lane = new_lane();
  streams().push_back(stream);
  return stream;
}

Stream* per_thread_stream() {
  thread_local Stream* stream = nullptr;
  if (stream == nullptr) {
    stream = add_stream();
    stream->per_thread = true;
  }
  return stream;
}

// Errors of kernels that leave the device unusable until it is reset.
bool is_sticky(cudaError_t error) {
  switch (error) {
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
    case cudaErrorTensorMemoryLeak:
      return true;
    default:
      return false;
  }
}

void remove_stream(Stream* stream) {
  std::erase(streams(), stream);
  retire_lane(stream->lane);
  delete stream;
}

}  // namespace

Stream& legacy_stream() {
  static Stream* stream = [] {
    Stream* created = add_stream();
    created->legacy = true;
    return created;
  }();
  return *stream;
}

Stream* stream_of(cudaStream_t handle) {
  legacy_stream();  // exists before any other
  if (handle == nullptr || handle == cudaStreamLegacy) return &legacy_stream();
  if (handle == cudaStreamPerThread) return per_thread_stream();
  auto* stream = reinterpret_cast<Stream*>(handle);
  const auto found = std::find(streams().begin(), streams().end(), stream);
  return found == streams().end() ? nullptr : stream;
}

const std::vector<Stream*>& all_streams() {
  return streams();
}

std::string stream_name(const Stream& stream) {
  if (stream.legacy) return "the default stream";
  if (stream.per_thread) return "a thread's default stream";
  return "stream " + std::to_string(stream.id - 1);
}

void destroy_streams() {
  const std::vector<Stream*> all = streams();
  for (Stream* stream : all) {
    stream->capture.reset();
    stream->capture_after.clear();
    if (!stream->legacy && !stream->per_thread) remove_stream(stream);
  }
}

cudaError_t run_now(const Work& work, Footprint* footprint) {
  const cudaError_t error = run(work, footprint);
  if (!is_sticky(error)) return error;
  poison(error);
  return launch_blocking() ? error : cudaSuccess;  // as on a device, a later call finds out
}

cudaError_t submit_uncaptured(Stream& stream, Work work, Wait wait) {
  if (const cudaError_t error = check_legacy_use(stream); error != cudaSuccess) return error;
  if (lazy_mode()) {
    const auto operation = enqueue(stream, std::move(work));
    return wait == Wait::Yes || launch_blocking() ? run_until(operation) : cudaSuccess;
  }
  const cudaError_t error = run_now(work, nullptr);
  return error == cudaSuccess && wait == Wait::Yes ? sticky_error() : error;
}

cudaError_t submit(cudaStream_t handle, Work work, Wait wait) {
  Stream* stream = stream_of(handle);
  if (stream == nullptr) return cudaErrorInvalidResourceHandle;
  if (stream->capture) {
    return wait == Wait::Yes ? refuse_in_capture(*stream) : capture_work(*stream, std::move(work));
  }
  return submit_uncaptured(*stream, std::move(work), wait);
}

cudaError_t wait_for(Stream& stream) {
  if (stream.capture) return refuse_in_capture(stream);
  if (const cudaError_t error = check_legacy_use(stream); error != cudaSuccess) return error;
  if (!lazy_mode()) return sticky_error();
  if (!stream.legacy) return run_until(stream.last);
  return run_until(enqueue(stream, EmptyWork{}));  // which waits for the blocking streams, too
}

cudaError_t wait_for_device() {
  for (Stream* stream : all_streams())
    if (stream->capture && !stream->capture->invalid) return refuse_in_capture(*stream);
  return lazy_mode() ? run_everything() : sticky_error();
}

}  // namespace vgpu::runtime

using namespace vgpu::runtime;

namespace {

// cudaStreamCreate and its variants.
cudaError_t create_stream(cudaStream_t* result, unsigned flags, int priority) {
  return api([&] {
    if (result == nullptr || (flags & ~cudaStreamNonBlocking) != 0) return cudaErrorInvalidValue;
    legacy_stream();
    Stream* stream = add_stream();
    stream->flags = flags;
    constexpr int kLeast = 0, kGreatest = -5;
    stream->priority = std::clamp(priority, kGreatest, kLeast);
    *result = reinterpret_cast<cudaStream_t>(stream);
    return cudaSuccess;
  });
}

// Calls about one stream: finds it, or says that there is none.
template <class Body>
cudaError_t stream_api(cudaStream_t handle, Body&& body) {
  return api([&] {
    Stream* stream = stream_of(handle);
    return stream == nullptr ? cudaErrorInvalidResourceHandle : body(*stream);
  });
}

}  // namespace

VGPU_API cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  return create_stream(stream, cudaStreamDefault, 0);
}

VGPU_API cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  return create_stream(stream, flags, 0);
}

VGPU_API cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int priority) {
  return create_stream(stream, flags, priority);
}

VGPU_API cudaError_t cudaStreamDestroy(cudaStream_t handle) {
  return stream_api(handle, [](Stream& stream) {
    if (stream.legacy || stream.per_thread) return cudaErrorInvalidResourceHandle;
    if (stream.capture) capture_destroyed(stream);
    cudaError_t error = cudaSuccess;
    // A device finishes the stream's work later; here the lane is free for another stream only once it is
    // done.
    if (lazy_mode()) error = run_until_done(stream.last);
    remove_stream(&stream);
    return error;
  });
}

VGPU_API cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
  return stream_api(handle, [](Stream& stream) { return wait_for(stream); });
}

VGPU_API cudaError_t cudaStreamQuery(cudaStream_t handle) {
  return stream_api(handle, [](Stream& stream) {
    if (stream.capture) return refuse_in_capture(stream);
    if (const cudaError_t error = check_legacy_use(stream); error != cudaSuccess) return error;
    if (!lazy_mode()) return sticky_error();
    const auto last = stream.legacy ? enqueue(stream, EmptyWork{}) : stream.last;
    run_some();
    if (sticky_error() != cudaSuccess) return sticky_error();
    if (last && !last->done) return cudaErrorNotReady;
    if (last) host_knows(*last);
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaDeviceSynchronize() {
  return api([] { return wait_for_device(); });
}

VGPU_API cudaError_t cudaStreamGetPriority(cudaStream_t handle, int* priority) {
  return stream_api(handle, [&](Stream& stream) {
    if (priority == nullptr) return cudaErrorInvalidValue;
    *priority = stream.priority;
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaStreamGetFlags(cudaStream_t handle, unsigned* flags) {
  return stream_api(handle, [&](Stream& stream) {
    if (flags == nullptr) return cudaErrorInvalidValue;
    *flags = stream.flags;
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaStreamGetId(cudaStream_t handle, unsigned long long* id) {
  return stream_api(handle, [&](Stream& stream) {
    if (id == nullptr) return cudaErrorInvalidValue;
    *id = stream.id;
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaStreamGetDevice(cudaStream_t handle, int* device) {
  return stream_api(handle, [&](Stream&) {
    if (device == nullptr) return cudaErrorInvalidValue;
    *device = 0;
    return cudaSuccess;
  });
}
