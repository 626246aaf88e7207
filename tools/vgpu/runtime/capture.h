// Stream capture: work submitted to a capturing stream becomes nodes of a graph.
#pragma once

#include <cuda_runtime_api.h>

#include <memory>
#include <thread>
#include <vector>

#include "runtime/event.h"
#include "runtime/graph.h"
#include "runtime/stream.h"

namespace vgpu::runtime {

struct Capture {
  uint64_t id = 0;
  cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  std::thread::id thread;
  Stream* origin = nullptr;
  std::vector<Stream*> streams;  // origin and those that joined through events
  std::vector<Node*> abandoned;  // last nodes of joined streams that were destroyed meanwhile
  Graph* graph = nullptr;
  bool owns_graph = true;  // not cudaStreamBeginCaptureToGraph
  bool invalid = false;
};

// Adds a node behind the stream's last ones.
cudaError_t capture_work(Stream& stream, Work work);
// An event recorded in a capturing stream, and a stream made to wait for it.
void capture_record(Stream& stream, Event& event);
cudaError_t capture_wait(Stream& stream, Event& event);
// The program destroys a capturing stream: what it recorded stays, but must still come back to the origin.
void capture_destroyed(Stream& stream);
// A call that must not touch a capturing stream: the capture is spoilt.
cudaError_t refuse_in_capture(Stream& stream);
// Calls that may synchronise implicitly (cudaMalloc ...): 900 while a capture forbids them in this thread.
cudaError_t check_unsafe_call();
// Work on the legacy stream would order it with a capturing blocking stream: 906.
cudaError_t check_legacy_use(const Stream& stream);
void forget_captures();  // cudaDeviceReset

}  // namespace vgpu::runtime
