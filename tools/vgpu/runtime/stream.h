// Streams, and the one way by which work gets onto them.
//
// Normally work runs at once, in the order of the calls, which is one of the orders a device may choose. With
// VGPU_CHECK=sync it is queued and run later, in a random order that the streams' rules allow (lazy.h).
#pragma once

#include <cuda_runtime_api.h>

#include <memory>
#include <string>
#include <vector>

#include "runtime/work.h"

namespace vgpu::runtime {

struct Capture;
struct Node;
struct Operation;

struct Stream {
  uint64_t id = 0;
  uint32_t flags = 0;
  int priority = 0;
  bool legacy = false;  // the default stream that waits for the others
  bool per_thread = false;
  std::shared_ptr<Capture> capture;
  std::vector<Node*> capture_after;  // the nodes that the next captured work depends on
  uint32_t lane = 0;                 // lazy mode: its component of the vector clocks
  std::shared_ptr<Operation> last;   // lazy mode: what was queued last

  bool blocking() const { return !legacy && (flags & cudaStreamNonBlocking) == 0; }
};

// 0, cudaStreamLegacy, cudaStreamPerThread or a created stream; nullptr for anything else.
Stream* stream_of(cudaStream_t handle);
Stream& legacy_stream();
const std::vector<Stream*>& all_streams();
std::string stream_name(const Stream& stream);
void destroy_streams();  // cudaDeviceReset: all but the default ones

// Whether the caller waits until the work is done.
enum class Wait : uint8_t { No, Yes };

// Runs, queues or captures the work. A handle that is no stream: cudaErrorInvalidResourceHandle.
cudaError_t submit(cudaStream_t handle, Work work, Wait wait = Wait::No);
// The same for a known stream that is not under capture.
cudaError_t submit_uncaptured(Stream& stream, Work work, Wait wait);
// Runs a piece of work now; poisons the context where it was a kernel's fault.
cudaError_t run_now(const Work& work, Footprint* footprint);

cudaError_t wait_for(Stream& stream);
cudaError_t wait_for_device();

}  // namespace vgpu::runtime
