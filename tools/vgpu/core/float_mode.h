// The floating-point mode that handlers rely on, for as long as it lives, on the thread that makes it.
//
// A program may have been linked with -ffast-math, or may have changed its rounding: kernels must not notice,
// and the program gets its own mode back afterwards.
#pragma once

#include <xmmintrin.h>

#include <cstdint>

namespace vgpu {

class DefaultFloatMode {
 public:
  DefaultFloatMode() : before_(_mm_getcsr()) { _mm_setcsr(kDefault); }
  ~DefaultFloatMode() { _mm_setcsr(before_); }
  DefaultFloatMode(const DefaultFloatMode&) = delete;
  DefaultFloatMode& operator=(const DefaultFloatMode&) = delete;

 private:
  static constexpr uint32_t kDefault = 0x1F80;  // to nearest, nothing flushed, exceptions masked
  uint32_t before_;
};

}  // namespace vgpu
