// Events: recording, waiting, and the real time between them.
#include "runtime/event.h"

#include <algorithm>

#include "runtime/capture.h"
#include "runtime/context.h"
#include "runtime/lazy.h"
#include "runtime/stream.h"

namespace vgpu::runtime {
namespace {

std::vector<Event*>& events() {
  static auto* all = new std::vector<Event*>;
  return *all;
}

}  // namespace

Event* event_of(cudaEvent_t handle) {
  auto* event = reinterpret_cast<Event*>(handle);
  return std::find(events().begin(), events().end(), event) == events().end() ? nullptr : event;
}

void mark_recorded(Event& event) {
  if (std::find(events().begin(), events().end(), &event) == events().end()) return;  // destroyed meanwhile
  event.time = std::chrono::steady_clock::now();
  event.recorded = true;
}

void destroy_events() {
  for (Event* event : events()) delete event;
  events().clear();
}

}  // namespace vgpu::runtime

using namespace vgpu::runtime;

namespace {

template <class Body>
cudaError_t event_api(cudaEvent_t handle, Body&& body) {
  return api([&] {
    Event* event = event_of(handle);
    return event == nullptr ? cudaErrorInvalidResourceHandle : body(*event);
  });
}

cudaError_t record(Event& event, cudaStream_t handle, unsigned flags) {
  Stream* stream = stream_of(handle);
  if (stream == nullptr) return cudaErrorInvalidResourceHandle;
  if (stream->capture) {
    if ((flags & cudaEventRecordExternal) != 0) return capture_work(*stream, RecordWork{&event});
    capture_record(*stream, event);
    return cudaSuccess;
  }
  if (const cudaError_t error = check_legacy_use(*stream); error != cudaSuccess) return error;
  event.capture.reset();
  event.capture_after.clear();
  event.recorded = true;
  if (!lazy_mode()) return run_now(RecordWork{&event}, nullptr);
  event.operation = enqueue(*stream, RecordWork{&event});
  return cudaSuccess;
}

cudaError_t wait(cudaStream_t handle, Event& event, unsigned flags) {
  Stream* stream = stream_of(handle);
  if (stream == nullptr) return cudaErrorInvalidResourceHandle;
  if ((flags & ~cudaEventWaitExternal) != 0) return cudaErrorInvalidValue;
  if (stream->capture && (flags & cudaEventWaitExternal) != 0) return capture_work(*stream, WaitWork{&event});
  if (stream->capture || event.capture) return capture_wait(*stream, event);
  if (const cudaError_t error = check_legacy_use(*stream); error != cudaSuccess) return error;
  if (lazy_mode() && event.operation) enqueue(*stream, WaitWork{&event}, {event.operation});
  return cudaSuccess;
}

}  // namespace

VGPU_API cudaError_t cudaEventCreateWithFlags(cudaEvent_t* result, unsigned flags) {
  return api([&] {
    constexpr unsigned kKnown = cudaEventBlockingSync | cudaEventDisableTiming | cudaEventInterprocess;
    if (result == nullptr || (flags & ~kKnown) != 0) return cudaErrorInvalidValue;
    if ((flags & cudaEventInterprocess) != 0 && (flags & cudaEventDisableTiming) == 0)
      return cudaErrorInvalidValue;
    auto* event = new Event;
    event->flags = flags;
    events().push_back(event);
    *result = reinterpret_cast<cudaEvent_t>(event);
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaEventCreate(cudaEvent_t* result) {
  return cudaEventCreateWithFlags(result, cudaEventDefault);
}

VGPU_API cudaError_t cudaEventDestroy(cudaEvent_t handle) {
  return event_api(handle, [](Event& event) {
    std::erase(events(), &event);
    delete &event;
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaEventRecordWithFlags(cudaEvent_t handle, cudaStream_t stream, unsigned flags) {
  return event_api(handle, [&](Event& event) {
    if ((flags & ~cudaEventRecordExternal) != 0) return cudaErrorInvalidValue;
    return record(event, stream, flags);
  });
}

VGPU_API cudaError_t cudaEventRecord(cudaEvent_t handle, cudaStream_t stream) {
  return cudaEventRecordWithFlags(handle, stream, cudaEventRecordDefault);
}

VGPU_API cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t handle, unsigned flags) {
  return event_api(handle, [&](Event& event) { return wait(stream, event, flags); });
}

VGPU_API cudaError_t cudaEventQuery(cudaEvent_t handle) {
  return event_api(handle, [](Event& event) {
    if (event.capture) {
      event.capture->invalid = true;
      return cudaErrorCapturedEvent;
    }
    if (!lazy_mode() || !event.operation) return sticky_error();
    run_some();
    if (sticky_error() != cudaSuccess) return sticky_error();
    if (!event.operation->done) return cudaErrorNotReady;
    host_knows(*event.operation);
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaEventSynchronize(cudaEvent_t handle) {
  return event_api(handle, [](Event& event) {
    if (event.capture) {
      event.capture->invalid = true;
      return cudaErrorCapturedEvent;
    }
    return lazy_mode() ? run_until(event.operation) : sticky_error();
  });
}

VGPU_API cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  return api([&] {
    const Event* first = event_of(start);
    const Event* last = event_of(end);
    if (milliseconds == nullptr) return cudaErrorInvalidValue;
    if (first == nullptr || last == nullptr) return cudaErrorInvalidResourceHandle;
    if (((first->flags | last->flags) & cudaEventDisableTiming) != 0) return cudaErrorInvalidResourceHandle;
    if (!first->recorded || !last->recorded) return cudaErrorInvalidResourceHandle;
    for (const Event* event : {first, last})
      if (event->operation && !event->operation->done) return cudaErrorNotReady;
    *milliseconds = std::chrono::duration<float, std::milli>(last->time - first->time).count();
    return cudaSuccess;
  });
}
