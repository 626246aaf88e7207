// The numbers of the random schedules: splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom
// number generators", 2014).
#pragma once

#include <cstdint>

namespace vgpu {

// The next of a sequence that `state` may begin anywhere.
inline uint64_t next_random(uint64_t& state) {
  uint64_t value = state += 0x9E3779B97F4A7C15ull;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ull;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBull;
  return value ^ (value >> 31);
}

// A number for a number, as if by chance.
inline uint64_t mix(uint64_t value) {
  return next_random(value);
}

}  // namespace vgpu
