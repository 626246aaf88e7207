// From --device and --threads to an Exec.
#pragma once

#include <memory>
#include <string>

#include "engine/tensor/tensor.h"
#include "kernels/base/exec.h"

namespace cpm {

/// Owns the thread pool and the stream that exec points to.
struct Device {
  std::unique_ptr<kernels::ThreadPool> threads;
  std::shared_ptr<void> stream;
  kernels::Exec exec;

  engine::Place place() const { return engine::Place(exec); }
  /// "cpu (avx2), 2 threads" or "cuda:0 (NVIDIA H100 80GB HBM3)", there with a word where results may vary.
  std::string description() const;
  /// Bytes this process may still take where the device computes.
  uint64_t available_memory() const;
};

/// `device`: "auto" | "cpu" | "cuda" | "cuda:N"; `threads` 0: all processors. "auto" is the first CUDA
/// device, but never a virtual one, else the CPU. `deterministic` false lets the libraries' rows take
/// algorithms whose results vary from run to run; the CPU's always are deterministic. DeviceUnavailable where
/// this build or machine has no such device; Usage for another word or a negative or absurd number of
/// threads.
Device open_device(const std::string& device, int64_t threads, bool deterministic = true);

/// Bytes this process may still take: MemAvailable of the system, bounded by the control group's limit.
uint64_t available_memory();

}  // namespace cpm
