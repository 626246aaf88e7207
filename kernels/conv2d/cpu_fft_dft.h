// Discrete Fourier transforms of 2 to 9 points over complex vectors, in place, forward (e^-i...), natural
// order. An inverse is the same with real and imaginary parts exchanged on the way in and out.
#pragma once

#include "kernels/conv2d/cpu_fft_simd.h"

namespace kernels {
namespace {

template <int N>
struct Dft;

template <>
struct Dft<2> {
  template <class V>
  static CPM_INLINE void run(Complex<V>* x) {
    const Complex<V> a = x[0];
    x[0] = a + x[1];
    x[1] = a - x[1];
  }
};

template <>
struct Dft<3> {
  template <class V>
  static CPM_INLINE void run(Complex<V>* x) {
    const Complex<V> sum = x[1] + x[2];
    const Complex<V> turned = minus_i(x[1] - x[2], 0.866025403784438647f);
    const Complex<V> middle = {x[0].re - sum.re * 0.5f, x[0].im - sum.im * 0.5f};
    x[0] = x[0] + sum;
    x[1] = middle + turned;
    x[2] = middle - turned;
  }
};

template <>
struct Dft<4> {
  template <class V>
  static CPM_INLINE void run(Complex<V>* x) {
    const Complex<V> a = x[0] + x[2], b = x[0] - x[2], c = x[1] + x[3], d = x[1] - x[3];
    x[0] = a + c;
    x[2] = a - c;
    x[1] = {b.re + d.im, b.im - d.re};
    x[3] = {b.re - d.im, b.im + d.re};
  }
};

template <>
struct Dft<5> {
  template <class V>
  static CPM_INLINE void run(Complex<V>* x) {
    constexpr float c1 = 0.309016994374947424f, c2 = -0.809016994374947424f;
    constexpr float s1 = 0.951056516295153572f, s2 = 0.587785252292473129f;
    const Complex<V> a = x[1] + x[4], b = x[2] + x[3], d = x[1] - x[4], e = x[2] - x[3];
    const Complex<V> m1 = {x[0].re + a.re * c1 + b.re * c2, x[0].im + a.im * c1 + b.im * c2};
    const Complex<V> m2 = {x[0].re + a.re * c2 + b.re * c1, x[0].im + a.im * c2 + b.im * c1};
    const Complex<V> t1 = {d.im * s1 + e.im * s2, -(d.re * s1 + e.re * s2)};
    const Complex<V> t2 = {d.im * s2 - e.im * s1, e.re * s1 - d.re * s2};
    x[0] = x[0] + a + b;
    x[1] = m1 + t1;
    x[4] = m1 - t1;
    x[2] = m2 + t2;
    x[3] = m2 - t2;
  }
};

/// 2 x 3 without twiddles (Good 1958): points 3 i + 2 j, bins 3 i + 4 j, modulo 6.
template <>
struct Dft<6> {
  template <class V>
  static CPM_INLINE void run(Complex<V>* x) {
    Complex<V> a[3] = {x[0] + x[3], x[2] + x[5], x[4] + x[1]};
    Complex<V> b[3] = {x[0] - x[3], x[2] - x[5], x[4] - x[1]};
    Dft<3>::run(a);
    Dft<3>::run(b);
    x[0] = a[0];
    x[4] = a[1];
    x[2] = a[2];
    x[3] = b[0];
    x[1] = b[1];
    x[5] = b[2];
  }
};

template <>
struct Dft<8> {
  template <class V>
  static CPM_INLINE void run(Complex<V>* x) {
    constexpr float h = 0.707106781186547524f;
    Complex<V> a[4] = {x[0], x[2], x[4], x[6]}, b[4] = {x[1], x[3], x[5], x[7]};
    Dft<4>::run(a);
    Dft<4>::run(b);
    b[1] = {(b[1].re + b[1].im) * h, (b[1].im - b[1].re) * h};
    b[2] = {b[2].im, -b[2].re};
    b[3] = {(b[3].im - b[3].re) * h, (b[3].re + b[3].im) * -h};
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      x[i] = a[i] + b[i];
      x[i + 4] = a[i] - b[i];
    }
  }
};

template <>
struct Dft<9> {
  template <class V>
  static CPM_INLINE void run(Complex<V>* x) {
    constexpr float c1 = 0.766044443118978035f, s1 = 0.642787609686539326f;   // 40 degrees
    constexpr float c2 = 0.173648177666930349f, s2 = 0.984807753012208059f;   // 80
    constexpr float c4 = -0.939692620785908384f, s4 = 0.342020143325668733f;  // 160
    Complex<V> t[3][3] = {{x[0], x[3], x[6]}, {x[1], x[4], x[7]}, {x[2], x[5], x[8]}};
#pragma GCC unroll 3
    for (int i = 0; i < 3; ++i) Dft<3>::run(t[i]);
    t[1][1] = times(t[1][1], c1, -s1);
    t[1][2] = times(t[1][2], c2, -s2);
    t[2][1] = times(t[2][1], c2, -s2);
    t[2][2] = times(t[2][2], c4, -s4);
#pragma GCC unroll 3
    for (int k = 0; k < 3; ++k) {
      Complex<V> y[3] = {t[0][k], t[1][k], t[2][k]};
      Dft<3>::run(y);
#pragma GCC unroll 3
      for (int i = 0; i < 3; ++i) x[k + 3 * i] = y[i];
    }
  }
};

}  // namespace
}  // namespace kernels
