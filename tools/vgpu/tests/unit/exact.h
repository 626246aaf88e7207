// Sums without rounding errors, to compare rounded arithmetic with.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "core/inst.h"

namespace vgpu::test {

// A binary format: significant bits, exponents of its last place and of its largest value's first bit.
struct Format {
  int precision, lowest, highest;
  double largest() const { return std::ldexp(2.0 - std::ldexp(1.0, 1 - precision), highest); }
};
inline constexpr Format kFloatFormat{24, -149, 127}, kHalfFormat{11, -24, 15}, kBFloatFormat{8, -133, 127};

// A sum of doubles without any error, in fixed point: bit 0 stands for 2^-320.
class Exact {
 public:
  Exact& add(double x) {
    if (x == 0) return *this;
    int exponent = 0;
    const double fraction = std::frexp(std::fabs(x), &exponent);
    const uint64_t significand = static_cast<uint64_t>(std::ldexp(fraction, 53));
    const int position = exponent - 53 + kPoint;  // negative only where the low bits are zero
    const uint64_t low = position < 0 ? significand >> -position : significand;
    add_shifted(low, position < 0 ? 0 : static_cast<unsigned>(position), x < 0);
    return *this;
  }
  bool zero() const {
    for (uint64_t word : words_)
      if (word != 0) return false;
    return true;
  }
  // The non-zero sum in a format, rounded as PTX's rn, rz, rm, rp.
  double round(const Format& format, Round mode) const {
    const bool negative = (words_.back() >> 63) != 0;
    Exact magnitude = *this;
    if (negative) magnitude.negate();
    int top = kBits - 1;
    while (!magnitude.bit(top)) --top;
    const int last = std::max(top - kPoint - (format.precision - 1), format.lowest);
    const int position = last + kPoint;
    uint64_t n = 0;
    for (int k = top; k >= position; --k) n = n << 1 | (magnitude.bit(k) ? 1 : 0);
    const bool half = magnitude.bit(position - 1);
    bool below = false;
    for (int k = 0; k < position - 1; ++k) below = below || magnitude.bit(k);
    const bool away = (mode == Round::Up && !negative) || (mode == Round::Down && negative);
    const bool nearest = mode == Round::NearestEven;
    if (nearest ? half && (below || (n & 1) != 0) : away && (half || below)) ++n;
    double value = std::ldexp(static_cast<double>(n), last);
    if (value > format.largest()) value = nearest || away ? HUGE_VAL : format.largest();
    return negative ? -value : value;
  }

 private:
  static constexpr int kPoint = 320, kBits = 768;
  bool bit(int k) const { return (words_[static_cast<size_t>(k) / 64] >> (k % 64) & 1) != 0; }
  void negate() {
    for (uint64_t& word : words_) word = ~word;
    add_shifted(1, 0, false);
  }
  void add_shifted(uint64_t value, unsigned position, bool subtract) {
    Exact term;
    term.words_[position / 64] = value << position % 64;
    if (position % 64 != 0) term.words_[position / 64 + 1] = value >> (64 - position % 64);
    if (subtract) term.negate();
    unsigned __int128 carry = 0;
    for (size_t k = 0; k < words_.size(); ++k) {
      carry += static_cast<unsigned __int128>(words_[k]) + term.words_[k];
      words_[k] = static_cast<uint64_t>(carry);
      carry >>= 64;
    }
  }
  std::array<uint64_t, kBits / 64> words_ = {};
};

// p + c rounded once; p may be a product. What is not finite follows IEEE, as the host does.
inline double rounded_sum(double p, double c, const Format& format, Round mode) {
  if (!std::isfinite(p) || !std::isfinite(c)) return p + c;
  Exact sum;
  sum.add(p).add(c);
  if (!sum.zero()) return sum.round(format, mode);
  if (p == 0 && c == 0 && std::signbit(p) == std::signbit(c)) return p;
  return mode == Round::Down ? -0.0 : 0.0;
}
inline double rounded(double x, const Format& format, Round mode) {
  return x == 0 || !std::isfinite(x) ? x : Exact().add(x).round(format, mode);
}

}  // namespace vgpu::test
