// One piece of work for a stream or a graph node: what the device does when its turn comes.
//
// Entry points turn their parameters into a Work and submit it (stream.h); it is run at once, queued, or made
// a node of the graph that the stream is captured into.
#pragma once

#include <cuda_runtime_api.h>

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "core/block.h"
#include "core/observe.h"
#include "runtime/registry.h"

namespace vgpu::runtime {

struct Event;
struct Graph;
struct GraphAllocation;

struct KernelWork {
  Kernel* kernel = nullptr;
  Dim3 grid, block;
  uint32_t dynamic_shared = 0;
  bool cooperative = false;
  std::vector<uint8_t> arguments;  // laid out as the kernel expects them
  std::vector<void*> pointers;     // to the arguments, for cudaGraphKernelNodeGetParams
  int priority = 0;
};

struct Region {  // rows of a pitched block; one row is contiguous
  uint64_t address = 0;
  uint64_t pitch = 0;  // bytes from row to row
  uint64_t slice = 0;  // bytes from layer to layer
};

struct CopyWork {
  Region to, from;
  uint64_t width = 0, height = 1, depth = 1;  // width in bytes
  cudaMemcpyKind kind = cudaMemcpyDefault;
  std::vector<uint8_t> staged;  // pageable source, taken when the call was made; rows packed
  uint64_t bytes() const { return width * height * depth; }
};

struct FillWork {
  Region to;
  uint32_t value = 0;
  uint32_t element = 1;                       // 1, 2, 4 bytes
  uint64_t width = 0, height = 1, depth = 1;  // width in bytes
};

struct HostWork {
  cudaHostFn_t function = nullptr;
  cudaStreamCallback_t callback = nullptr;  // cudaStreamAddCallback
  cudaStream_t stream = nullptr;
  void* data = nullptr;
};

struct EmptyWork {};

struct RecordWork {
  Event* event = nullptr;
};

struct WaitWork {
  Event* event = nullptr;
};

struct ChildGraphWork {
  std::shared_ptr<Graph> graph;
};

struct AllocateWork {  // cudaMallocAsync: the address is known when it is called
  uint64_t address = 0;
  uint64_t bytes = 0;
  std::shared_ptr<GraphAllocation> graph_allocation;  // in graphs
};

struct FreeWork {
  uint64_t address = 0;
  uint64_t bytes = 0;
  std::shared_ptr<GraphAllocation> graph_allocation;
};

using Work = std::variant<EmptyWork, KernelWork, CopyWork, FillWork, HostWork, RecordWork, WaitWork,
                          ChildGraphWork, AllocateWork, FreeWork>;

// Runs it now. Kernel faults come back as their error; the caller decides about poisoning. `footprint` is
// filled where it is not null.
cudaError_t run(const Work& work, Footprint* footprint);

// "kernel scale(float*, int)", "copy of 400 bytes from host to device" ...
std::string describe(const Work& work);

// The bytes that anything but a kernel will touch.
void known_footprint(const Work& work, Footprint& footprint);

// The lengths of consecutive bytes that a pitched block consists of: calls visit(address, bytes) for each.
template <class Visit>
void for_each_run(const Region& region, uint64_t width, uint64_t height, uint64_t depth, Visit&& visit) {
  const bool rows_join = height <= 1 || region.pitch == width;
  const bool layers_join = rows_join && (depth <= 1 || region.slice == width * height);
  for (uint64_t z = 0; z < (layers_join ? 1 : depth); z++)
    for (uint64_t y = 0; y < (rows_join ? 1 : height); y++)
      visit(region.address + z * region.slice + y * region.pitch,
            width * (rows_join ? height : 1) * (layers_join ? depth : 1));
}

// Memory that kernel arguments are copied to for the duration of a launch; the next launch uses it again.
uint64_t argument_buffer(uint64_t bytes);
uint64_t cooperative_workspace();
void forget_buffers();  // after cudaDeviceReset

}  // namespace vgpu::runtime
