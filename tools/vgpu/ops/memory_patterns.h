// How the addresses of a warp lie, found with few operations on the base registers.
#pragma once

#include "ops/memory_slow.h"
#include "ops/simd_support.h"

namespace vgpu::VGPU_ISA {

struct alignas(16) Bytes16 {
  uint64_t low, high;
};

// Where lane i's bytes are.
template <uint32_t kBytes>
VGPU_INLINE uint64_t lane_address(const Resolved& r, uint32_t i) {
  if (r.pattern == Pattern::General) return r.address[i];
  return r.pattern == Pattern::Uniform ? r.first : r.first + uint64_t{i} * kBytes;
}

VGPU_INLINE bool inside(const MemoryRange& range, uint64_t first, uint64_t bytes) {
  return first >= range.begin && first < range.end && range.end - first >= bytes;
}

// Uniform or Contiguous, when all lanes run and their bases say so.
template <uint32_t kBytes, class Word>
VGPU_INLINE Pattern pattern_of(const Word* base) {
  const Word first = base[0];
  const Word step = static_cast<Word>(base[1] - first);
  Word differs = 0;
  if (step == 0) {
    for (uint32_t i = 0; i < kLanes; ++i) differs |= base[i] ^ first;
    return differs == 0 ? Pattern::Uniform : Pattern::General;
  }
  if (step != kBytes) return Pattern::General;
  for (uint32_t i = 0; i < kLanes; ++i) differs |= base[i] ^ static_cast<Word>(first + i * kBytes);
  return differs == 0 ? Pattern::Contiguous : Pattern::General;
}

VGPU_INLINE bool one_lane(uint32_t mask) {
  return (mask & (mask - 1)) == 0;
}

// The half warps of a block 16 threads wide: each at one address or in a row, of 4-byte elements.
struct Halves {
  bool found = false;
  bool row[2] = {false, false};
};
VGPU_INLINE __m256i broadcast(uint32_t x) {
  return _mm256_set1_epi32(static_cast<int32_t>(x));
}
VGPU_INLINE __m256i broadcast(uint64_t x) {
  return _mm256_set1_epi64x(static_cast<int64_t>(x));
}
VGPU_INLINE __m256i sum(uint32_t, __m256i a, __m256i b) {
  return _mm256_add_epi32(a, b);
}
VGPU_INLINE __m256i sum(uint64_t, __m256i a, __m256i b) {
  return _mm256_add_epi64(a, b);
}
VGPU_INLINE __m256i first_of_row(uint32_t) {
  return _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28);
}
VGPU_INLINE __m256i first_of_row(uint64_t) {
  return _mm256_setr_epi64x(0, 4, 8, 12);
}

// Written with intrinsics, as compilers unroll loops of 16 before they think of vectors.
template <class Word>
VGPU_INLINE Halves halves_of(const Word* base) {
  constexpr uint32_t kPart = 32 / sizeof(Word);  // lanes in a vector
  Halves halves;
  __m256i differs = _mm256_setzero_si256();
  for (uint32_t h = 0; h < 2; ++h) {
    const Word* part = base + 16 * h;
    const Word step = part[1] - part[0];
    if ((step & ~Word{4}) != 0) return halves;
    const Word row = step != 0 ? ~Word{0} : 0;
    __m256i expected =
        sum(Word{}, broadcast(part[0]), _mm256_and_si256(first_of_row(Word{}), broadcast(row)));
    const __m256i next = broadcast(static_cast<Word>(4 * kPart & row));
    for (uint32_t k = 0; k < 16; k += kPart) {
      const __m256i found = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(part + k));
      differs = _mm256_or_si256(differs, _mm256_xor_si256(found, expected));
      expected = sum(Word{}, expected, next);
    }
    halves.row[h] = row != 0;
  }
  halves.found = _mm256_testz_si256(differs, differs) != 0;
  return halves;
}

}  // namespace vgpu::VGPU_ISA
