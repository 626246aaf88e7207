// Events: a mark in a stream, with the time it was passed.
#pragma once

#include <cuda_runtime_api.h>

#include <chrono>
#include <memory>
#include <vector>

namespace vgpu::runtime {

struct Operation;
struct Capture;
struct Node;

struct Event {
  uint32_t flags = 0;
  bool recorded = false;
  std::chrono::steady_clock::time_point time;
  std::shared_ptr<Operation>
      operation;  // lazy mode: the record that cudaStreamWaitEvent and friends refer to
  std::shared_ptr<Capture>
      capture;  // recorded in a stream under capture: work depending on it joins the graph
  std::vector<Node*> capture_after;
};

// nullptr for anything that is not a live event.
Event* event_of(cudaEvent_t handle);
void mark_recorded(Event& event);
void destroy_events();  // cudaDeviceReset

}  // namespace vgpu::runtime
