// Running the work of streams and graphs, and saying what it is.
#include "runtime/work.h"

#include <cstring>

#include "core/device_memory.h"
#include "core/execute.h"
#include "core/report.h"
#include "runtime/context.h"
#include "runtime/event.h"
#include "runtime/graph.h"
#include "runtime/memory.h"

namespace vgpu::runtime {
namespace {

uint64_t arguments_address = 0, arguments_capacity = 0, workspace_address = 0;

uint8_t* bytes_at(uint64_t address) {
  return reinterpret_cast<uint8_t*>(address);
}

cudaError_t run_kernel(const KernelWork& work, Footprint* footprint) {
  if (const cudaError_t error = work.kernel->resolve(); error != cudaSuccess) return error;
  Launch launch;
  launch.program = work.kernel->binary->program();
  launch.kernel = work.kernel->code;
  launch.grid = work.grid;
  launch.block = work.block;
  launch.dynamic_shared = work.dynamic_shared;
  launch.cooperative = work.cooperative;
  launch.footprint = footprint;
  const uint64_t buffer = argument_buffer(work.arguments.size());
  if (buffer == 0) return cudaErrorMemoryAllocation;
  std::memcpy(bytes_at(buffer), work.arguments.data(), work.arguments.size());
  DeviceMemory::instance().mark_written(buffer, work.arguments.size());
  launch.arguments = bytes_at(buffer);
  if (work.cooperative) {
    launch.grid_workspace = cooperative_workspace();
    if (launch.grid_workspace == 0) return cudaErrorMemoryAllocation;
  }
  return static_cast<cudaError_t>(execute(launch));
}

void copy_run(uint64_t to, uint64_t from, uint64_t bytes) {
  DeviceMemory& memory = DeviceMemory::instance();
  std::memmove(bytes_at(to), bytes_at(from), bytes);
  if (!memory.in_arena(to)) return;
  if (memory.in_arena(from)) {
    memory.copy_shadow(to, from, bytes);
  } else {
    memory.mark_written(to, bytes);
  }
}

cudaError_t run_copy(const CopyWork& work) {
  const uint8_t* staged = work.staged.empty() ? nullptr : work.staged.data();
  const auto layers = work.depth, rows = work.height;
  for (uint64_t z = 0; z < layers; z++) {
    for (uint64_t y = 0; y < rows; y++) {
      const uint64_t to = work.to.address + z * work.to.slice + y * work.to.pitch;
      if (staged != nullptr) {
        std::memcpy(bytes_at(to), staged + (z * rows + y) * work.width, work.width);
        DeviceMemory::instance().mark_written(to, work.width);
      } else {
        copy_run(to, work.from.address + z * work.from.slice + y * work.from.pitch, work.width);
      }
    }
  }
  return cudaSuccess;
}

void fill_run(uint64_t address, uint64_t bytes, const FillWork& work) {
  uint8_t* to = bytes_at(address);
  if (work.element == 1) {
    std::memset(to, static_cast<int>(work.value & 0xFF), bytes);
  } else {
    for (uint64_t i = 0; i + work.element <= bytes; i += work.element)
      std::memcpy(to + i, &work.value, work.element);
  }
  DeviceMemory::instance().mark_written(address, bytes);
}

cudaError_t run_host(const HostWork& work) {
  HostFunctionScope scope;
  if (work.callback != nullptr) {
    work.callback(work.stream, sticky_error(), work.data);
  } else {
    work.function(work.data);
  }
  return cudaSuccess;
}

const char* kind_text(const CopyWork& work) {
  switch (work.kind) {
    case cudaMemcpyHostToHost:
      return "from host to host";
    case cudaMemcpyHostToDevice:
      return "from host to device";
    case cudaMemcpyDeviceToHost:
      return "from device to host";
    case cudaMemcpyDeviceToDevice:
      return "from device to device";
    default:
      return "between host and device";
  }
}

struct Runner {
  Footprint* footprint;
  cudaError_t operator()(const EmptyWork&) const { return cudaSuccess; }
  cudaError_t operator()(const KernelWork& work) const { return run_kernel(work, footprint); }
  cudaError_t operator()(const CopyWork& work) const { return run_copy(work); }
  cudaError_t operator()(const HostWork& work) const { return run_host(work); }
  cudaError_t operator()(const FillWork& work) const {
    for_each_run(work.to, work.width, work.height, work.depth,
                 [&](uint64_t address, uint64_t bytes) { fill_run(address, bytes, work); });
    return cudaSuccess;
  }
  cudaError_t operator()(const RecordWork& work) const {
    mark_recorded(*work.event);
    return cudaSuccess;
  }
  cudaError_t operator()(const WaitWork&) const {
    return cudaSuccess;
  }  // the order of calls, or the queue, has waited
  cudaError_t operator()(const ChildGraphWork& work) const { return run_in_order(*work.graph); }
  cudaError_t operator()(const AllocateWork& work) const {
    return work.graph_allocation ? allocate_in_graph(*work.graph_allocation) : cudaSuccess;
  }
  cudaError_t operator()(const FreeWork& work) const {
    return work.graph_allocation ? free_in_graph(*work.graph_allocation) : free_block(work.address);
  }
};

struct Describer {
  std::string operator()(const EmptyWork&) const { return "empty node"; }
  std::string operator()(const KernelWork& work) const { return "kernel " + demangle(work.kernel->name); }
  std::string operator()(const CopyWork& work) const {
    return "copy of " + std::to_string(work.bytes()) + " bytes " + kind_text(work);
  }
  std::string operator()(const FillWork& work) const {
    return "memset of " + std::to_string(work.width * work.height * work.depth) + " bytes";
  }
  std::string operator()(const HostWork&) const { return "host function"; }
  std::string operator()(const RecordWork&) const { return "event record"; }
  std::string operator()(const WaitWork&) const { return "event wait"; }
  std::string operator()(const ChildGraphWork&) const { return "child graph"; }
  std::string operator()(const AllocateWork& work) const {
    return "cudaMallocAsync of " + std::to_string(work.bytes) + " bytes";
  }
  std::string operator()(const FreeWork& work) const {
    return "cudaFreeAsync of " + std::to_string(work.bytes) + " bytes";
  }
};

struct Toucher {
  Footprint& footprint;
  void add(std::vector<Footprint::Range>& ranges, const Region& region, uint64_t w, uint64_t h,
           uint64_t d) const {
    for_each_run(region, w, h, d, [&](uint64_t address, uint64_t bytes) {
      ranges.push_back({address, address + bytes});
    });
  }
  void operator()(const CopyWork& work) const {
    add(footprint.writes, work.to, work.width, work.height, work.depth);
    if (work.staged.empty()) add(footprint.reads, work.from, work.width, work.height, work.depth);
  }
  void operator()(const FillWork& work) const {
    add(footprint.writes, work.to, work.width, work.height, work.depth);
  }
  void operator()(const AllocateWork& work) const {
    footprint.writes.push_back({work.address, work.address + work.bytes});
  }
  void operator()(const FreeWork& work) const {
    footprint.writes.push_back({work.address, work.address + work.bytes});
  }
  template <class Other>
  void operator()(const Other&) const {}
};

}  // namespace

cudaError_t run(const Work& work, Footprint* footprint) {
  return std::visit(Runner{footprint}, work);
}

std::string describe(const Work& work) {
  return std::visit(Describer{}, work);
}

void known_footprint(const Work& work, Footprint& footprint) {
  std::visit(Toucher{footprint}, work);
}

uint64_t argument_buffer(uint64_t bytes) {
  constexpr uint64_t kAtLeast = 4096, kAlignment = 256;
  if (arguments_address != 0 && bytes <= arguments_capacity) return arguments_address;
  if (arguments_address != 0) DeviceMemory::instance().release(arguments_address);
  arguments_capacity = bytes > kAtLeast ? (bytes + kAtLeast - 1) / kAtLeast * kAtLeast : kAtLeast;
  arguments_address = DeviceMemory::instance().allocate(arguments_capacity, kAlignment,
                                                        MemoryKind::Parameters, "kernel parameters");
  return arguments_address;
}

uint64_t cooperative_workspace() {
  // The header that cooperative_groups reads: {u32 size, u32 barrier}, see its grid_workspace.
  constexpr uint64_t kBytes = 256;
  DeviceMemory& memory = DeviceMemory::instance();
  if (workspace_address == 0)
    workspace_address = memory.allocate(kBytes, kBytes, MemoryKind::Device, "grid synchronisation");
  if (workspace_address == 0) return 0;
  const uint32_t header[2] = {kBytes, 0};
  std::memset(bytes_at(workspace_address), 0, kBytes);
  std::memcpy(bytes_at(workspace_address), header, sizeof header);
  memory.mark_written(workspace_address, kBytes);
  return workspace_address;
}

void forget_buffers() {
  arguments_address = arguments_capacity = 0;
  workspace_address = 0;
}

}  // namespace vgpu::runtime
