// Matrix fragments as the PTX ISA spells them out, element by element, and elements of every type: what the
// tests of tensor-core instructions compare with. Written from the ISA's formulas and not from
// ops/fragment_layout.h.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "tests/unit/lane_kernel.h"

namespace vgpu::test {

struct Cell {
  int row, column;
};

// Element `i` of the thread's fragment; `per` elements of A or B share 32 bits (one does for f64).
inline Cell cell_of_a(int m, int per, int lane, int i) {
  const int group = lane >> 2, thread = lane % 4;
  if (m == 8) return {group, thread * per + i};
  // "row = groupID for ai where (i / per) is even, groupID + 8 otherwise"; columns move on every second
  // register
  const int reg = i / per;
  return {reg % 2 == 0 ? group : group + 8, thread * per + i % per + (reg / 2) * 4 * per};
}
inline Cell cell_of_b(int per, int lane, int i) {
  return {(lane % 4) * per + i % per + (i / per) * 4 * per, lane >> 2};
}
inline Cell cell_of_c(int lane, int i) {
  return {i < 2 ? lane >> 2 : (lane >> 2) + 8, (lane % 4) * 2 + (i & 1)};
}

struct Matrix {
  int rows, columns;
  std::vector<double> value;
  Matrix(int r, int c) : rows(r), columns(c), value(static_cast<size_t>(r * c)) {}
  double& at(int row, int column) { return value[static_cast<size_t>(row * columns + column)]; }
  double at(int row, int column) const { return value[static_cast<size_t>(row * columns + column)]; }
  double& at(Cell cell) { return at(cell.row, cell.column); }
};

// A number type of PTX: bits to value, and a random pattern whose value is harmless in sums.
struct ElementType {
  std::string name;
  int bits;
  double decode(uint64_t pattern) const;
  uint64_t draw(std::mt19937& random) const;
  bool integer() const { return name[0] == 's' || name[0] == 'u' || name == "b1"; }
  int per_register() const { return bits >= 32 ? 1 : 32 / bits; }
};

// A float of `exponent` and `mantissa` bits, subnormals included, infinities and NaNs not.
inline double decode_small(uint64_t pattern, int exponent, int mantissa) {
  const int e = static_cast<int>(pattern >> mantissa) & ((1 << exponent) - 1);
  const double fraction = static_cast<double>(pattern & ((1u << mantissa) - 1)) / (1 << mantissa);
  const int bias = (1 << (exponent - 1)) - 1;
  const double size = e == 0 ? std::ldexp(fraction, 1 - bias) : std::ldexp(1 + fraction, e - bias);
  return (pattern >> (exponent + mantissa) & 1) != 0 ? -size : size;
}

inline double ElementType::decode(uint64_t p) const {
  if (name == "f16") return decode_small(p, 5, 10);
  if (name == "bf16") return decode_small(p, 8, 7);
  if (name == "tf32") return decode_small((p & 0xFFFFFFFFu) >> 13, 8, 10);
  if (name == "e4m3") return decode_small(p, 4, 3);
  if (name == "e5m2") return decode_small(p, 5, 2);
  if (name == "f32") return decode_small(p & 0xFFFFFFFFu, 8, 23);
  if (name == "f64") {
    double d;
    std::memcpy(&d, &p, 8);
    return d;
  }
  const int64_t limit = int64_t{1} << bits, x = static_cast<int64_t>(p & static_cast<uint64_t>(limit - 1));
  return static_cast<double>(name[0] == 's' && x >= limit / 2 ? x - limit : x);
}

inline uint64_t ElementType::draw(std::mt19937& random) const {
  const uint64_t noise = random();
  if (integer() && bits < 32) return noise & ((1u << bits) - 1);
  if (integer()) return noise % 2000001 - 1000000;
  const double x = (static_cast<double>(noise % 4001) - 2000) / 1024;
  const float f = static_cast<float>(x);
  uint32_t pattern;
  std::memcpy(&pattern, &f, 4);
  if (name == "f64") {
    uint64_t wide;
    std::memcpy(&wide, &x, 8);
    return wide;
  }
  if (name == "f32") return pattern;
  if (name == "tf32") return (pattern & ~0x1FFFull) | (random() & 0x1FFF);  // the low bits do not count
  if (name == "bf16") return pattern >> 16;
  if (name == "e4m3") return (noise & 0x80) | (random() % 0x48);
  if (name == "e5m2") return (noise & 0x80) | (random() % 0x40);
  return (noise >> 16 & 0x8000) | (random() % 0x4000);  // f16 below 2
}

// A fragment's registers: `bits` wide elements put in place one by one. 64-bit elements take two 32-bit
// registers.
struct Fragment32 {
  std::vector<Lanes> reg;
  explicit Fragment32(size_t registers) : reg(registers, Lanes(32, 0)) {}
  void put(int lane, int i, int bits, uint64_t pattern) {
    const size_t at = static_cast<size_t>(i * bits / 32);
    reg[at][static_cast<size_t>(lane)] |= static_cast<uint32_t>(pattern << (i * bits % 32));
    if (bits == 64) reg[at + 1][static_cast<size_t>(lane)] |= static_cast<uint32_t>(pattern >> 32);
  }
  uint64_t get(int lane, int i, int bits) const {
    const size_t at = static_cast<size_t>(i * bits / 32), l = static_cast<size_t>(lane);
    if (bits == 64) return reg[at][l] | uint64_t{reg[at + 1][l]} << 32;
    const uint64_t word = reg[at][l] >> (i * bits % 32);
    return bits == 32 ? word : word & ((uint64_t{1} << bits) - 1);
  }
};

}  // namespace vgpu::test
