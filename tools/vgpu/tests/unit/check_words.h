// Words of shared and global memory in the hands of several threads: what the tests of the checkers play
// with.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>

#include "core/device_memory.h"
#include "tests/unit/catch.h"
#include "tests/unit/check_fixture.h"

namespace vgpu::test {

using ptx::Space;

inline constexpr uint32_t kUninit = static_cast<uint32_t>(Check::Uninitialised);
inline constexpr uint32_t kRace = static_cast<uint32_t>(Check::Race);
inline constexpr uint32_t kSync = static_cast<uint32_t>(Check::Sync);

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// One word of shared or global memory in the hands of several threads.
class Words : public FakeLaunch {
 public:
  explicit Words(uint32_t blocks = 1, uint32_t threads = 128, uint32_t checks = kRace)
      : FakeLaunch(checks, false, blocks, threads) {
    const uint64_t bytes = 1 << 14;
    global = DeviceMemory::instance().allocate(bytes, 256, MemoryKind::Device, "cudaMalloc");
    REQUIRE(global != 0);
  }
  ~Words() { DeviceMemory::instance().release(global); }

  void access(uint32_t b, uint32_t w, uint32_t lane, uint32_t pc, AccessKind kind, Space space,
              uint64_t offset, uint32_t bytes = 4, bool strong = false) {
    Addresses addresses{};
    addresses[lane] = (space == Space::Shared ? shared(b) : global) + offset;
    Access a = an_access(space, kind, bytes, bytes, 1u << lane);
    a.strong = strong;
    tell(warp(b, w), pc, a, addresses);
  }
  void write(uint32_t w, uint32_t lane, uint64_t offset, uint32_t bytes = 4) {
    access(0, w, lane, 1, AccessKind::Store, Space::Shared, offset, bytes);
  }
  void read(uint32_t w, uint32_t lane, uint64_t offset, uint32_t bytes = 4) {
    access(0, w, lane, 2, AccessKind::Load, Space::Shared, offset, bytes);
  }
  void barrier(uint32_t b = 0) { observer.block_barrier(block(b), 0, (1u << launch.warps_per_block) - 1); }

  uint64_t global = 0;
};

// The lines that `body` prints on stderr.
inline std::string findings(const std::function<void()>& body) {
  std::fflush(stderr);
  const int saved = dup(STDERR_FILENO);
  std::FILE* file = std::tmpfile();
  dup2(fileno(file), STDERR_FILENO);
  body();
  std::fflush(stderr);
  dup2(saved, STDERR_FILENO);
  close(saved);
  std::rewind(file);
  std::string text;
  char buffer[4096];
  for (size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, file)) != 0;) text.append(buffer, n);
  std::fclose(file);
  return text;
}

}  // namespace vgpu::test
