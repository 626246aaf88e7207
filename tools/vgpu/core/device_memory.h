// Device memory: addresses that kernels and the host share.
//
// A device pointer is a host address inside one arena (64 GiB reserved, pages appear when touched). Every
// allocation is surrounded by red zones; addresses are not used again before the arena's end has been
// reached, so a use after free is a fault. Behind the arena, at a fixed distance, lies its shadow: one byte a
// byte, non-zero where the byte has been written; it is kept where the uninitialised check is on. Pinned and
// managed memory, symbols and parameters count as written from the start. Pinned and managed host memory
// comes out of the same arena; host memory registered by the program is a range like any other, without
// shadow.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vgpu {

// Generic addresses of shared and local memory, the same for every block and thread: [window, window + 4
// GiB).
inline constexpr uint64_t kSharedWindow = 0x2'0000'0000ull;
inline constexpr uint64_t kLocalWindow = 0x3'0000'0000ull;
inline constexpr uint64_t kWindowSize = 0x1'0000'0000ull;

enum class MemoryKind : uint8_t {
  Device,
  Pinned,
  Managed,
  Registered,
  Symbol,
  Heap /* device malloc */,
  Parameters
};

struct Allocation {
  uint64_t begin = 0, end = 0;
  MemoryKind kind = MemoryKind::Device;
  bool freed = false;
  uint32_t number = 0;     // 1, 2, 3 ... in order of allocation
  std::string name;        // symbol name, or "cudaMalloc", "cudaMallocHost" ...
  bool read_only = false;  // const symbols
};

class DeviceMemory {
 public:
  static DeviceMemory& instance();

  // 0 when the device's memory (VGPU_MEMORY bytes, default 16 GiB, by what is allocated) is exhausted.
  uint64_t allocate(uint64_t bytes, uint64_t alignment, MemoryKind kind, std::string name);
  // False when `address` is not the start of a live allocation. Pages of large blocks are given back.
  bool release(uint64_t address);
  // Kernels may not write to the allocation that begins there: const variables.
  void set_read_only(uint64_t address);
  bool register_host(uint64_t address, uint64_t bytes);
  bool unregister_host(uint64_t address);

  // The live allocation that holds the byte, nullptr for none. Never invalidated while the allocation lives.
  const Allocation* find(uint64_t address) const;
  // The allocation, live or freed, at or nearest below/above the address: for reports.
  const Allocation* nearest(uint64_t address) const;
  // "12 bytes past the end of the 4000-byte allocation #3 (cudaMalloc)" and the like.
  std::string describe(uint64_t address) const;

  uint64_t used() const;
  uint64_t capacity() const;

  uint64_t arena() const { return arena_; }
  uint64_t arena_size() const { return arena_size_; }
  bool in_arena(uint64_t address) const { return address - arena_ < arena_size_; }
  uint8_t* shadow(uint64_t address) const { return reinterpret_cast<uint8_t*>(address + shadow_distance_); }
  void mark_written(uint64_t address, uint64_t bytes);  // copies, memset; a no-op outside the arena
  // Copies the shadow along with a device-to-device copy.
  void copy_shadow(uint64_t to, uint64_t from, uint64_t bytes);
  void reset();  // cudaDeviceReset: frees everything but symbols

  static constexpr uint64_t kArenaSize = 64ull << 30;

 private:
  DeviceMemory();
  struct State;
  State* state_;
  uint64_t arena_ = 0;
  uint64_t arena_size_ = 0;  // kArenaSize, or less where the system does not lend as much
  uint64_t shadow_distance_ = 0;
};

}  // namespace vgpu
