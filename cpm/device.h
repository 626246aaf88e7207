// From --device and --threads to an Exec.
#pragma once

#include <memory>
#include <string>

#include "kernels/base/exec.h"

namespace cpm {

/// Owns the thread pool that exec points to.
struct Device {
  std::unique_ptr<kernels::ThreadPool> threads;
  kernels::Exec exec;
};

/// `device`: "auto" | "cpu" | "cuda" | "cuda:N"; `threads` 0: all processors. DeviceUnavailable where this
/// build or machine has no such device; Usage for another word or a negative or absurd number of threads.
Device open_device(const std::string& device, int64_t threads);

/// Bytes this process may still take: MemAvailable of the system, bounded by the control group's limit.
uint64_t available_memory();

}  // namespace cpm
