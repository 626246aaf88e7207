// What the SIMD loops of cpu.fft share: complex vectors, and a transpose of lanes x lanes floats. In
// an unnamed namespace, as cpu_direct_simd.h.
#pragma once

#include "kernels/conv2d/cpu_direct_simd.h"
#include "kernels/conv2d/cpu_fft.h"

namespace kernels {
namespace {

template <int... I>
struct Indices {};
template <int N, int... I>
struct MakeIndices : MakeIndices<N - 1, N - 1, I...> {};
template <int... I>
struct MakeIndices<0, I...> {
  using Type = Indices<I...>;
};

/// Exchanges the odd blocks of `kBlock` lanes of a with the even ones of b: one stage of a transpose.
template <int kBlock, class V, int... I>
CPM_INLINE void exchange_blocks(V& a, V& b, Indices<I...>) {
  constexpr int kLanes = sizeof...(I);
  const V low = __builtin_shufflevector(a, b, ((I / kBlock) % 2 == 0 ? I : kLanes + I - kBlock)...);
  b = __builtin_shufflevector(a, b, ((I / kBlock) % 2 == 0 ? I + kBlock : kLanes + I)...);
  a = low;
}

template <int kLanes, int kBlock = 1, class V>
CPM_INLINE void transpose(V* rows) {
  if constexpr (kBlock < kLanes) {
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i) {
      if ((i / kBlock) % 2 == 0) {
        exchange_blocks<kBlock>(rows[i], rows[i + kBlock], typename MakeIndices<kLanes>::Type());
      }
    }
    transpose<kLanes, 2 * kBlock>(rows);
  }
}

/// kLanes rows of `columns` >= kLanes floats to columns of kLanes floats. The last block may overlap the one
/// before it.
template <int kLanes>
void rows_to_lanes(const float* from, int64_t row_stride, int64_t columns, float* to) {
  using S = Simd<kLanes>;
  for (int64_t begin = 0; begin < columns; begin += kLanes) {
    const int64_t at = begin + kLanes <= columns ? begin : columns - kLanes;
    typename S::Vector v[kLanes];
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i) S::load(v[i], from + i * row_stride + at);
    transpose<kLanes>(v);
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i) S::store(v[i], to + (at + i) * kLanes);
  }
}

/// The way back; writes whole blocks, so `to` has room for columns rounded up to kLanes, and so has `from`.
template <int kLanes>
void lanes_to_rows(const float* from, int64_t columns, float* to, int64_t row_stride) {
  using S = Simd<kLanes>;
  for (int64_t at = 0; at < columns; at += kLanes) {
    typename S::Vector v[kLanes];
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i) S::load(v[i], from + (at + i) * kLanes);
    transpose<kLanes>(v);
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i) S::store(v[i], to + i * row_stride + at);
  }
}

CPM_INLINE void fill_zero(float* to, int64_t count) {
  __builtin_memset(to, 0, sizeof(float) * count);
}

template <class V>
struct Complex {
  V re, im;
};

template <class V>
CPM_INLINE Complex<V> operator+(const Complex<V>& a, const Complex<V>& b) {
  return {a.re + b.re, a.im + b.im};
}
template <class V>
CPM_INLINE Complex<V> operator-(const Complex<V>& a, const Complex<V>& b) {
  return {a.re - b.re, a.im - b.im};
}
/// a (re + i im)
template <class V>
CPM_INLINE Complex<V> times(const Complex<V>& a, float re, float im) {
  return {a.re * re - a.im * im, a.re * im + a.im * re};
}
/// a scaled by a real number, then turned by -90 degrees.
template <class V>
CPM_INLINE Complex<V> minus_i(const Complex<V>& a, float scale) {
  return {a.im * scale, a.re * -scale};
}

template <int kLanes>
CPM_INLINE Complex<typename Simd<kLanes>::Vector> load(const float* re, const float* im) {
  Complex<typename Simd<kLanes>::Vector> v;
  Simd<kLanes>::load(v.re, re);
  Simd<kLanes>::load(v.im, im);
  return v;
}

template <int kLanes>
CPM_INLINE void store(const Complex<typename Simd<kLanes>::Vector>& v, float* re, float* im) {
  Simd<kLanes>::store(v.re, re);
  Simd<kLanes>::store(v.im, im);
}

}  // namespace
}  // namespace kernels
