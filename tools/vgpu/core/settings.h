// What the environment says, read once.
#pragma once

#include <cstdint>
#include <string>

namespace vgpu {

struct Settings {
  uint64_t budget = 2'000'000'000;  // VGPU_BUDGET: instructions a warp may execute in one launch
  uint32_t threads = 1;             // VGPU_THREADS: interpreter threads; default: the processors there are
  uint32_t checks = 0;              // VGPU_CHECK: bits of Check
  std::string count;                // VGPU_COUNT: empty, "1" or a file name
  bool trace = false;               // VGPU_TRACE
};
const Settings& settings();

}  // namespace vgpu
