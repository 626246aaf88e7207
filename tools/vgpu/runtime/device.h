// The numbers of the virtual device, by compute capability.
#pragma once

#include <cstdint>

namespace vgpu::runtime {

inline constexpr uint32_t kMultiprocessors = 4;
inline constexpr uint32_t kMaxThreads = 1024, kMaxBlockZ = 64;
inline constexpr uint32_t kMaxGridX = 0x7FFFFFFF, kMaxGridYZ = 65535;
inline constexpr uint32_t kDefaultShared = 48 << 10;
inline constexpr uint32_t kRegisters = 65536;
inline constexpr uint32_t kTextureAlignment = 512, kPitchAlignment = 512;
inline constexpr uint32_t kParameterBytes = 32764;

uint32_t shared_per_multiprocessor();
uint32_t shared_opt_in();    // most a block can have
uint32_t reserved_shared();  // that the system takes from each block
uint32_t threads_per_multiprocessor();
uint32_t blocks_per_multiprocessor();
const char* device_name();

}  // namespace vgpu::runtime
