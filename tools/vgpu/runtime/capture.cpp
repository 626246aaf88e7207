// Stream capture: beginning and ending it, joining streams through events, and what is forbidden meanwhile.
#include "runtime/capture.h"

#include <algorithm>
#include <unordered_set>

#include "runtime/context.h"

namespace vgpu::runtime {
namespace {

uint64_t next_capture = 1;
thread_local cudaStreamCaptureMode thread_mode = cudaStreamCaptureModeGlobal;

std::vector<std::weak_ptr<Capture>>& captures() {
  static auto* all = new std::vector<std::weak_ptr<Capture>>;
  return *all;
}

void add_unique(std::vector<Node*>& nodes, const std::vector<Node*>& more) {
  for (Node* node : more)
    if (std::find(nodes.begin(), nodes.end(), node) == nodes.end()) nodes.push_back(node);
}

bool forbids_unsafe_calls(const Capture& capture) {
  if (capture.mode == cudaStreamCaptureModeRelaxed || thread_mode == cudaStreamCaptureModeRelaxed)
    return false;
  if (capture.thread == std::this_thread::get_id()) return true;
  return capture.mode == cudaStreamCaptureModeGlobal && thread_mode == cudaStreamCaptureModeGlobal;
}

// Has every stream that joined come back to the origin?
bool all_joined(const Capture& capture) {
  std::unordered_set<const Node*> reached;
  std::vector<const Node*> stack(capture.origin->capture_after.begin(), capture.origin->capture_after.end());
  while (!stack.empty()) {
    const Node* node = stack.back();
    stack.pop_back();
    if (!reached.insert(node).second) continue;
    stack.insert(stack.end(), node->after.begin(), node->after.end());
  }
  const auto all_reached = [&](const std::vector<Node*>& nodes) {
    return std::all_of(nodes.begin(), nodes.end(), [&](const Node* node) { return reached.contains(node); });
  };
  return all_reached(capture.abandoned) &&
         std::all_of(capture.streams.begin(), capture.streams.end(),
                     [&](const Stream* stream) { return all_reached(stream->capture_after); });
}

void leave(Capture& capture) {
  for (Stream* stream : capture.streams) {
    stream->capture.reset();
    stream->capture_after.clear();
  }
  capture.streams.clear();
}

std::shared_ptr<Capture> begin(Stream& stream, cudaStreamCaptureMode mode, Graph* graph) {
  auto capture = std::make_shared<Capture>();
  capture->id = next_capture++;
  capture->mode = mode;
  capture->thread = std::this_thread::get_id();
  capture->origin = &stream;
  capture->streams.push_back(&stream);
  capture->owns_graph = graph == nullptr;
  capture->graph = graph != nullptr ? graph : register_graph(std::make_shared<Graph>()).get();
  stream.capture = capture;
  captures().push_back(capture);
  return capture;
}

cudaError_t can_begin(const Stream* stream, cudaStreamCaptureMode mode) {
  if (stream == nullptr) return cudaErrorInvalidResourceHandle;
  if (stream->legacy) return cudaErrorStreamCaptureUnsupported;
  if (stream->capture) return cudaErrorIllegalState;
  if (mode < cudaStreamCaptureModeGlobal || mode > cudaStreamCaptureModeRelaxed) return cudaErrorInvalidValue;
  return cudaSuccess;
}

cudaError_t end(Stream& stream, cudaGraph_t* result) {
  const std::shared_ptr<Capture> capture = stream.capture;
  if (!capture) return cudaErrorIllegalState;
  *result = nullptr;
  if (capture->mode != cudaStreamCaptureModeRelaxed && capture->thread != std::this_thread::get_id())
    return cudaErrorStreamCaptureWrongThread;
  if (capture->origin != &stream) {
    capture->invalid = true;
    return cudaErrorStreamCaptureUnmatched;
  }
  const bool joined = all_joined(*capture);
  const bool valid = !capture->invalid;
  leave(*capture);
  if (valid && joined) {
    *result = handle_of(capture->graph);
    return cudaSuccess;
  }
  if (capture->owns_graph) destroy_graph(capture->graph);
  return valid ? cudaErrorStreamCaptureUnjoined : cudaErrorStreamCaptureInvalidated;
}

cudaStreamCaptureStatus status_of(const Stream& stream) {
  if (!stream.capture) return cudaStreamCaptureStatusNone;
  return stream.capture->invalid ? cudaStreamCaptureStatusInvalidated : cudaStreamCaptureStatusActive;
}

}  // namespace

cudaError_t capture_work(Stream& stream, Work work) {
  Capture& capture = *stream.capture;
  if (capture.invalid) return cudaErrorStreamCaptureInvalidated;
  Node* node = capture.graph->add(std::move(work), stream.capture_after);
  stream.capture_after = {node};
  return cudaSuccess;
}

void capture_record(Stream& stream, Event& event) {
  event.capture = stream.capture;
  event.capture_after = stream.capture_after;
}

cudaError_t capture_wait(Stream& stream, Event& event) {
  const std::shared_ptr<Capture>& theirs = event.capture;
  if (stream.capture && stream.capture->invalid) return cudaErrorStreamCaptureInvalidated;
  if (!theirs) {  // recorded outside: a graph cannot depend on it
    stream.capture->invalid = true;
    return cudaErrorStreamCaptureIsolation;
  }
  if (theirs->streams.empty()) return cudaErrorCapturedEvent;  // that capture has ended
  if (stream.capture && stream.capture != theirs) {
    stream.capture->invalid = theirs->invalid = true;
    return cudaErrorStreamCaptureMerge;
  }
  if (stream.legacy) {
    theirs->invalid = true;
    return cudaErrorStreamCaptureImplicit;
  }
  if (!stream.capture) {
    stream.capture = theirs;
    stream.capture_after.clear();
    theirs->streams.push_back(&stream);
  }
  add_unique(stream.capture_after, event.capture_after);
  return cudaSuccess;
}

void capture_destroyed(Stream& stream) {
  Capture& capture = *stream.capture;
  if (capture.origin == &stream) capture.invalid = true;
  add_unique(capture.abandoned, stream.capture_after);
  std::erase(capture.streams, &stream);
}

cudaError_t refuse_in_capture(Stream& stream) {
  if (stream.capture->invalid) return cudaErrorStreamCaptureInvalidated;
  stream.capture->invalid = true;
  return cudaErrorStreamCaptureUnsupported;
}

cudaError_t check_unsafe_call() {
  cudaError_t error = cudaSuccess;
  std::erase_if(captures(), [](const auto& capture) { return capture.expired(); });
  for (const auto& weak : captures()) {
    const auto capture = weak.lock();
    if (!capture || capture->streams.empty() || !forbids_unsafe_calls(*capture)) continue;
    capture->invalid = true;
    error = cudaErrorStreamCaptureUnsupported;
  }
  return error;
}

cudaError_t check_legacy_use(const Stream& stream) {
  if (!stream.legacy) return cudaSuccess;
  cudaError_t error = cudaSuccess;
  for (const Stream* other : all_streams()) {
    if (!other->blocking() || !other->capture) continue;
    other->capture->invalid = true;
    error = cudaErrorStreamCaptureImplicit;
  }
  return error;
}

void forget_captures() {
  for (const auto& weak : captures())
    if (const auto capture = weak.lock()) leave(*capture);
  captures().clear();
}

}  // namespace vgpu::runtime

using namespace vgpu::runtime;

VGPU_API cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode mode) {
  return api([&] {
    Stream* stream = stream_of(handle);
    const cudaError_t error = can_begin(stream, mode);
    if (error == cudaSuccess) begin(*stream, mode, nullptr);
    return error;
  });
}

VGPU_API cudaError_t cudaStreamBeginCaptureToGraph(cudaStream_t handle, cudaGraph_t graph_handle,
                                                   const cudaGraphNode_t* dependencies,
                                                   const cudaGraphEdgeData*, size_t count,
                                                   cudaStreamCaptureMode mode) {
  return api([&] {
    Stream* stream = stream_of(handle);
    Graph* graph = graph_of(graph_handle);
    if (const cudaError_t error = can_begin(stream, mode); error != cudaSuccess) return error;
    if (graph == nullptr || (count != 0 && dependencies == nullptr)) return cudaErrorInvalidValue;
    std::vector<Node*> after;
    for (size_t i = 0; i < count; i++) {
      after.push_back(vgpu::runtime::node_of(dependencies[i]));
      if (!graph->owns(after.back())) return cudaErrorInvalidValue;
    }
    begin(*stream, mode, graph);
    stream->capture_after = std::move(after);
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
  return api([&] {
    Stream* stream = stream_of(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    return graph == nullptr ? cudaErrorInvalidValue : end(*stream, graph);
  });
}

VGPU_API cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
  return api([&] {
    const Stream* stream = stream_of(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (status == nullptr) return cudaErrorInvalidValue;
    if (const cudaError_t error = check_legacy_use(*stream); error != cudaSuccess) return error;
    *status = status_of(*stream);
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaStreamGetCaptureInfo(cudaStream_t handle, cudaStreamCaptureStatus* status,
                                              unsigned long long* id, cudaGraph_t* graph,
                                              const cudaGraphNode_t** dependencies,
                                              const cudaGraphEdgeData** edges, size_t* count) {
  return api([&] {
    Stream* stream = stream_of(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (status == nullptr) return cudaErrorInvalidValue;
    if (const cudaError_t error = check_legacy_use(*stream); error != cudaSuccess) return error;
    *status = status_of(*stream);
    if (*status != cudaStreamCaptureStatusActive) return cudaSuccess;
    if (id != nullptr) *id = stream->capture->id;
    if (graph != nullptr) *graph = handle_of(stream->capture->graph);
    // The list belongs to the stream and holds until its next call.
    if (dependencies != nullptr)
      *dependencies = reinterpret_cast<const cudaGraphNode_t*>(stream->capture_after.data());
    if (edges != nullptr) *edges = nullptr;
    if (count != nullptr) *count = stream->capture_after.size();
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaStreamUpdateCaptureDependencies(cudaStream_t handle, cudaGraphNode_t* dependencies,
                                                         const cudaGraphEdgeData*, size_t count,
                                                         unsigned flags) {
  return api([&] {
    Stream* stream = stream_of(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (!stream->capture) return cudaErrorIllegalState;
    if (stream->capture->invalid) return cudaErrorStreamCaptureInvalidated;
    std::vector<Node*> nodes;
    for (size_t i = 0; i < count; i++) {
      nodes.push_back(vgpu::runtime::node_of(dependencies[i]));
      if (!stream->capture->graph->owns(nodes.back())) return cudaErrorInvalidValue;
    }
    if (flags == cudaStreamSetCaptureDependencies) stream->capture_after.clear();
    add_unique(stream->capture_after, nodes);
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode) {
  return api([&] {
    if (mode == nullptr || *mode < cudaStreamCaptureModeGlobal || *mode > cudaStreamCaptureModeRelaxed)
      return cudaErrorInvalidValue;
    std::swap(*mode, thread_mode);
    return cudaSuccess;
  });
}
