// Memory, streams and recorded work of a backend, so that the engine needs no CUDA header. On the CPU
// everything happens at once and a stream is nothing.
#pragma once

#include <cstddef>
#include <string>

#include "kernels/base/exec.h"

namespace kernels {

/// What a device says of itself; 0 where it does not say (a CPU knows none of the numbers here).
struct DeviceInfo {
  std::string name;                 // "NVIDIA H100 ...", "vgpu ...", "cpu"
  int major = 0, minor = 0;         // compute capability
  int processors = 0;               // multiprocessors
  size_t memory = 0, l2_cache = 0;  // bytes

  /// Results of a virtual GPU are as good as a device's; its times mean nothing.
  bool is_virtual() const { return name.rfind("vgpu", 0) == 0; }
};

/// Version 13.2 is 13020; 0: none (no driver, or a CPU).
struct RuntimeVersions {
  int runtime = 0, driver = 0;
};

class DeviceRuntime {
 public:
  virtual ~DeviceRuntime() = default;

  /// Device memory, 256-byte aligned, undefined content. DeviceUnavailable with the sizes where there is not
  /// enough.
  virtual void* allocate(int device, size_t bytes) = 0;
  virtual void release(int device, void* memory) = 0;
  /// Host memory that copies to and from the device overlap with kernels.
  virtual void* allocate_staging(size_t bytes) = 0;
  virtual void release_staging(void* memory) = 0;
  /// Bytes a process could still allocate on the device.
  virtual size_t free_memory(int device) = 0;

  /// In exec's stream. `to` and `from` may lie on the device or on the host, but do not overlap.
  virtual void copy(const Exec& exec, void* to, const void* from, size_t bytes) = 0;
  virtual void zero(const Exec& exec, void* to, size_t bytes) = 0;
  /// Waits for everything in exec's stream; errors of kernels surface here, with the name of the last one
  /// launched.
  virtual void synchronize(const Exec& exec) = 0;
  /// Waits for every stream of the device.
  virtual void synchronize_device(int device) = 0;

  virtual void* create_stream(int device) = 0;
  virtual void destroy_stream(void* stream) = 0;

  /// A mark in a stream's work: record() sets it behind what exec's stream holds, wait() makes exec's stream
  /// wait for it, milliseconds() is the time between two marks that have been reached.
  virtual void* create_event(int device) = 0;
  virtual void destroy_event(void* event) = 0;
  virtual void record(const Exec& exec, void* event) = 0;
  virtual void wait(const Exec& exec, void* event) = 0;
  virtual double milliseconds(void* from, void* to) = 0;

  /// Between begin and end, work given to exec's stream is recorded instead of run; replay() runs it as a
  /// whole. Backends that cannot record return false from begin. abandon_recording() after an error.
  virtual bool begin_recording(const Exec& exec) = 0;
  virtual void abandon_recording(const Exec& exec) = 0;
  virtual void* end_recording(const Exec& exec) = 0;
  virtual void replay(const Exec& exec, void* recording) = 0;
  virtual void destroy_recording(void* recording) = 0;

  virtual RuntimeVersions versions() { return {}; }
  virtual int device_count() = 0;
  /// Why device_count() is 0, as the driver puts it; empty where it says nothing.
  virtual std::string no_device_reason() { return ""; }
  virtual std::string device_name(int device) { return device_info(device).name; }
  virtual DeviceInfo device_info(int device) = 0;
};

/// The runtime of a backend; DeviceUnavailable where this build has none.
DeviceRuntime& device_runtime(Backend backend);

}  // namespace kernels
