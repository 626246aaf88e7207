// The vector loops of max pooling, for vectors of kBytes; included once per instruction set. All of it has
// internal linkage and it uses no function of the standard library, so that a linker cannot mix code of two
// instruction sets. Values and places are both held in T, so that one mask selects both; vectors are written
// out because compilers turn a selection of two values back into a branch.
#pragma once

#include <cstdint>

#include "kernels/pool2d/max_rows.h"

namespace kernels::cpu {

namespace {

template <class T, int kBytes>
struct Simd {
  static constexpr int64_t kCount = kBytes / sizeof(T);
  typedef T Vector __attribute__((vector_size(kBytes)));

  static Vector load(const T* from) {
    Vector vector;
    __builtin_memcpy(&vector, from, sizeof vector);
    return vector;
  }
  static void store(Vector vector, T* to) { __builtin_memcpy(to, &vector, sizeof vector); }
  static Vector all(T value) { return value - Vector{}; }  // 0 + value would lose the sign of -0

  /// Elements kFirst, kFirst + 2, kFirst + 4, ... of the 2 * kCount elements at `from`; kFirst is 0 or 1.
  template <int kFirst>
  static Vector load_every_second(const T* from) {
    const Vector low = load(from), high = load(from + kCount);
    constexpr int k = kFirst;
    if constexpr (kCount == 2) return __builtin_shufflevector(low, high, k, k + 2);
    if constexpr (kCount == 4) return __builtin_shufflevector(low, high, k, k + 2, k + 4, k + 6);
    if constexpr (kCount == 8) {
      return __builtin_shufflevector(low, high, k, k + 2, k + 4, k + 6, k + 8, k + 10, k + 12, k + 14);
    }
  }

  /// PyTorch's rule in every lane: a larger value or any NaN replaces the best so far.
  static void take_better(Vector value, Vector place, Vector& best, Vector& best_place) {
    const auto better = (value > best) | (value != value);
    best = better ? value : best;
    best_place = better ? place : best_place;
  }
};

template <class T, int kBytes>
bool maxima_3_2(const T* first, int64_t count, T* value, T* place) {
  using S = Simd<T, kBytes>;
  if (count < S::kCount) return false;
  const auto one = S::all(1), two = S::all(2);
  for (int64_t next = 0; next < count; next += S::kCount) {
    const int64_t q = next < count - S::kCount ? next : count - S::kCount;
    const T* x = first + 2 * q;
    auto best = S::template load_every_second<0>(x), best_place = S::all(0);
    S::take_better(S::template load_every_second<1>(x), one, best, best_place);
    // From x + 1 on, so that the load ends at the last window's last pixel.
    S::take_better(S::template load_every_second<1>(x + 1), two, best, best_place);
    S::store(best, value + q);
    S::store(best_place, place + q);
  }
  return true;
}

template <class T, int kBytes>
void join_rows(const Strip<T>* const* rows, const RowSpan& span, int64_t count, Strip<T>& out) {
  using S = Simd<T, kBytes>;
  const auto kernel = S::all(static_cast<T>(span.kernel));
  for (int64_t q = 0; q < count; q += S::kCount) {
    auto offset = S::all(static_cast<T>(span.first * span.kernel));
    auto best = S::load(rows[0]->value + q), place = S::load(rows[0]->place + q) + offset;
    for (int64_t r = 1; r < span.height; ++r) {
      offset += kernel;
      S::take_better(S::load(rows[r]->value + q), S::load(rows[r]->place + q) + offset, best, place);
    }
    S::store(best, out.value + q);
    S::store(place, out.place + q);
  }
}

template <class T, int kBytes>
void window_maximum(const T* pixels, int64_t count, T first_place, T& value, T& place) {
  using S = Simd<T, kBytes>;
  auto best = S::all(pixels[0]), best_place = S::all(first_place);
  for (int64_t i = 1; i < count; ++i) {
    S::take_better(S::all(pixels[i]), S::all(first_place + static_cast<T>(i)), best, best_place);
  }
  value = best[0];
  place = best_place[0];
}

}  // namespace

}  // namespace kernels::cpu
