// What the environment says, read once. A value that makes no sense ends the process with status 64 and one
// line that says what was expected.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vgpu {

// Instructions a warp may execute in one launch, by default. Checkers are slower, and programs small under
// them.
inline constexpr uint64_t kBudget = 2'000'000'000, kCheckedBudget = 200'000'000;

struct Settings {
  uint64_t budget = kBudget;      // VGPU_BUDGET
  uint64_t memory = 16ull << 30;  // VGPU_MEMORY: bytes of device memory
  uint32_t threads = 1;           // VGPU_THREADS: interpreter threads; default: the processors there are
  uint32_t checks = 0;            // VGPU_CHECK: bits of Check
  uint32_t capability = 0;        // VGPU_CC: 75 ... 121; 0 where it is not given
  std::string count;              // VGPU_COUNT: empty, "1" or a file name
  bool trace = false;             // VGPU_TRACE
};
const Settings& settings();

// "NAME (vgpu-run --name): expected EXPECTED, got 'GOT'", and the end of the process.
[[noreturn]] void refuse_setting(std::string_view name, const std::string& expected, std::string_view got);

// A whole number in decimal, nothing round it; none for other texts and for numbers out of bounds.
std::optional<uint64_t> parse_number(std::string_view text, uint64_t least, uint64_t most);
// The same, at least 1, with K, M or G behind it for 2^10, 2^20 or 2^30.
std::optional<uint64_t> parse_bytes(std::string_view text, uint64_t most);

}  // namespace vgpu
