// mma.sync, ldmatrix, stmatrix and movmatrix against the ISA's element formulas and plain sums.
#include <limits>

#include "tests/unit/catch.h"
#include "tests/unit/matrix_fragments.h"

namespace vgpu::test {
namespace {

std::mt19937 random_bits(17);

struct MmaCase {
  int m, n, k;
  ElementType d, a, b, c;
  std::string suffix = "";  // ".satfinite", or for b1 the operation in front of it
};

const ElementType kF16{"f16", 16}, kBf16{"bf16", 16}, kTf32{"tf32", 32}, kF32{"f32", 32}, kF64{"f64", 64};
const ElementType kS8{"s8", 8}, kU8{"u8", 8}, kS4{"s4", 4}, kU4{"u4", 4}, kB1{"b1", 1}, kS32{"s32", 32};
const ElementType kE4m3{"e4m3", 8}, kE5m2{"e5m2", 8};

std::string register_list(const std::string& prefix, size_t first, size_t count) {
  std::string text = "{";
  for (size_t i = 0; i < count; ++i) text += (i == 0 ? "" : ", ") + prefix + std::to_string(first + i);
  return text + "}";
}

// 32-bit registers as they are; f64 pairs go through %g.
struct Operands {
  std::string before, after, d, a, b, c;
};

Operands operands_of(const MmaCase& t, size_t ra, size_t rb, size_t rc, size_t rd) {
  if (t.a.bits != 64) {
    return {"",
            "",
            register_list("%d", 0, rd),
            register_list("%a", 0, ra),
            register_list("%a", ra, rb),
            register_list("%a", ra + rb, rc)};
  }
  Operands o;
  const size_t all = (ra + rb + rc) / 2;
  for (size_t i = 0; i < all; ++i)
    o.before += "mov.b64 %h" + std::to_string(i) + ", {%a" + std::to_string(2 * i) + ", %a" +
                std::to_string(2 * i + 1) + "};\n";
  for (size_t i = 0; i < rd / 2; ++i)
    o.after += "mov.b64 {%d" + std::to_string(2 * i) + ", %d" + std::to_string(2 * i + 1) + "}, %g" +
               std::to_string(i) + ";\n";
  o.before = ".reg .f64 %h<32>;\n" + o.before;
  o.d = register_list("%g", 0, rd / 2);
  o.a = register_list("%h", 0, ra / 2);
  o.b = register_list("%h", ra / 2, rb / 2);
  o.c = register_list("%h", (ra + rb) / 2, rc / 2);
  return o;
}

std::string shape_name(const MmaCase& t) {
  return "m" + std::to_string(t.m) + "n" + std::to_string(t.n) + "k" + std::to_string(t.k);
}

double expected(const MmaCase& t, const Matrix& a, const Matrix& b, double c, int row, int column) {
  double sum = c;
  for (int k = 0; k < t.k; ++k) {
    const double x = a.at(row, k), y = b.at(k, column);
    sum += t.suffix == ".xor.popc" ? (x != y ? 1 : 0) : x * y;
  }
  if (t.suffix != ".satfinite") return t.d.integer() ? static_cast<int32_t>(static_cast<int64_t>(sum)) : sum;
  return std::fmin(std::fmax(sum, std::numeric_limits<int32_t>::min()), std::numeric_limits<int32_t>::max());
}

double tolerance(const MmaCase& t, double value) {
  if (t.d.integer()) return 0;
  const double unit = t.d.name == "f16" ? 1e-3 : t.d.name == "f64" ? 1e-15 : 1e-6;
  return unit * (std::fabs(value) + t.k);
}

size_t registers(int elements, int bits) {
  return static_cast<size_t>(elements * bits / 32);
}

// The matrices and the fragments that hold them.
struct MmaData {
  Matrix a, b, c;
  Fragment32 fa, fb, fc;
  explicit MmaData(const MmaCase& t)
      : a(t.m, t.k),
        b(t.k, t.n),
        c(t.m, t.n),
        fa(registers(t.m * t.k / 32, t.a.bits)),
        fb(registers(t.n * t.k / 32, t.b.bits)),
        fc(registers(t.m * t.n / 32, t.c.bits)) {}
};

template <class CellOf>
void draw(const ElementType& type, int elements, Matrix& matrix, Fragment32& fragment, CellOf cell_of) {
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < elements; ++i) {
      const uint64_t bits = type.draw(random_bits);
      fragment.put(lane, i, type.bits, type.bits == 32 ? bits & 0xFFFFFFFFu : bits);
      matrix.at(cell_of(lane, i)) = type.decode(bits);
    }
  }
}

// Accumulators near both ends of the range.
void make_extreme(MmaData& data, int elements) {
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < elements; ++i) {
      const uint32_t bits = lane % 2 != 0 ? 0x7FFFFFF0u : 0x80000010u;
      data.fc.reg[static_cast<size_t>(i)][static_cast<size_t>(lane)] = bits;
      data.c.at(cell_of_c(lane, i)) = static_cast<int32_t>(bits);
    }
  }
}

std::string statement(const MmaCase& t, const Operands& o) {
  const std::string types = "." + t.d.name + "." + t.a.name + "." + t.b.name + "." + t.c.name;
  const std::string behind = t.a.name == "b1" ? types + t.suffix : t.suffix + types;
  return o.before + "mma.sync.aligned." + shape_name(t) + ".row.col" + behind + " " + o.d + ", " + o.a +
         ", " + o.b + ", " + o.c + ";\n" + o.after;
}

void check_mma(const MmaCase& t, bool extreme_c) {
  MmaData data(t);
  const int per = t.a.bits == 64 ? 1 : t.a.per_register(), results = t.m * t.n / 32;
  draw(t.a, t.m * t.k / 32, data.a, data.fa, [&](int lane, int i) { return cell_of_a(t.m, per, lane, i); });
  draw(t.b, t.n * t.k / 32, data.b, data.fb, [&](int lane, int i) { return cell_of_b(per, lane, i); });
  draw(t.c, results, data.c, data.fc, cell_of_c);
  if (extreme_c) make_extreme(data, results);
  std::vector<Lanes> in = data.fa.reg;
  in.insert(in.end(), data.fb.reg.begin(), data.fb.reg.end());
  in.insert(in.end(), data.fc.reg.begin(), data.fc.reg.end());
  LaneKernel kernel;
  kernel.inputs = in.size();
  kernel.outputs = registers(results, t.d.bits);
  kernel.body = statement(
      t, operands_of(t, data.fa.reg.size(), data.fb.reg.size(), data.fc.reg.size(), kernel.outputs));
  Fragment32 fd(0);
  fd.reg = kernel.run(in);
  INFO(kernel.body);
  REQUIRE(kernel.error == 0);
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < results; ++i) {
      const Cell at = cell_of_c(lane, i);
      const double want = expected(t, data.a, data.b, data.c.at(at), at.row, at.column);
      INFO("lane " << lane << " element " << i);
      REQUIRE(std::fabs(t.d.decode(fd.get(lane, i, t.d.bits)) - want) <= tolerance(t, want));
    }
  }
}

// 32 rows of 8 elements in shared memory, from %a0-3; lane l names row %a4 of lane l.
const char* const kFillTile =
    "mul.lo.u32 %t0, %lane, 16;\nmov.u32 %t1, tile;\nadd.u32 %t0, %t0, %t1;\n"
    "st.shared.v4.b32 [%t0], {%a0, %a1, %a2, %a3};\nbar.warp.sync 0xffffffff;\n"
    "mul.lo.u32 %t2, %a4, 16;\nadd.u32 %t2, %t2, %t1;\n";

LaneKernel load_kernel(int count, const std::string& variant) {
  LaneKernel k;
  k.inputs = 5;
  k.outputs = 4;
  k.shared = 1024;
  k.body = kFillTile + ("ldmatrix.sync.aligned.m8n8" + variant + ".shared.b16 ") +
           register_list("%t", 4, static_cast<size_t>(count)) + ", [%t2];\n";
  for (int i = 0; i < count; ++i)
    k.body += "mov.b32 %d" + std::to_string(i) + ", %t" + std::to_string(4 + i) + ";\n";
  return k;
}

// Stores what a plain load gave into the second half of the tile and reads that back row by row.
LaneKernel store_kernel(int count, const std::string& variant) {
  LaneKernel k = load_kernel(count, ".x" + std::to_string(count));
  k.body += "stmatrix.sync.aligned.m8n8" + variant + ".shared.b16 [%t2+512], " +
            register_list("%t", 4, static_cast<size_t>(count)) + ";\nbar.warp.sync 0xffffffff;\n" +
            "ld.shared.v4.b32 {%d0, %d1, %d2, %d3}, [%t2+512];\n";
  return k;
}

void check_matrix_moves(int count, bool transposed) {
  const std::string variant = ".x" + std::to_string(count) + (transposed ? ".trans" : "");
  LaneKernel load = load_kernel(count, variant), store = store_kernel(count, variant);
  std::vector<Lanes> in(5, Lanes(32));
  for (uint32_t i = 0; i < 32; ++i) {
    for (uint32_t j = 0; j < 4; ++j) in[j][i] = static_cast<uint32_t>(random_bits());
    in[4][i] = (i * 13 + 5) % 32;
  }
  const auto element = [&](uint32_t matrix, uint32_t r, uint32_t c) {
    return in[c / 2][in[4][8 * matrix + r]] >> (c % 2 * 16) & 0xFFFF;
  };
  const std::vector<Lanes> loaded = load.run(in), stored = store.run(in);
  REQUIRE(load.error == 0);
  REQUIRE(store.error == 0);
  for (uint32_t i = 0; i < static_cast<uint32_t>(count); ++i) {
    for (uint32_t lane = 0; lane < 32; ++lane) {
      const uint32_t g = lane / 4, t = lane % 4;
      const uint32_t low = transposed ? element(i, 2 * t, g) : element(i, g, 2 * t);
      const uint32_t high = transposed ? element(i, 2 * t + 1, g) : element(i, g, 2 * t + 1);
      CHECK(loaded[i][lane] == (low | high << 16));
    }
    for (uint32_t r = 0; r < 8; ++r) {
      for (uint32_t c = 0; c < 8; ++c) {
        const uint32_t got = stored[c / 2][8 * i + r] >> (c % 2 * 16) & 0xFFFF;
        CHECK(got == (transposed ? element(i, c, r) : element(i, r, c)));
      }
    }
  }
}

}  // namespace

TEST_CASE("mma.sync of floating point") {
  for (const MmaCase& t : std::vector<MmaCase>{
           {16, 8, 4, kF32, kTf32, kTf32, kF32},
           {16, 8, 8, kF32, kTf32, kTf32, kF32},
           {16, 8, 8, kF16, kF16, kF16, kF16},
           {16, 8, 8, kF32, kF16, kF16, kF32},
           {16, 8, 16, kF16, kF16, kF16, kF16},
           {16, 8, 16, kF32, kF16, kF16, kF32},
           {16, 8, 8, kF32, kBf16, kBf16, kF32},
           {16, 8, 16, kF32, kBf16, kBf16, kF32},
           {8, 8, 4, kF64, kF64, kF64, kF64},
           {16, 8, 4, kF64, kF64, kF64, kF64},
           {16, 8, 8, kF64, kF64, kF64, kF64},
           {16, 8, 16, kF64, kF64, kF64, kF64},
           {16, 8, 32, kF32, kE4m3, kE4m3, kF32},
           {16, 8, 32, kF32, kE5m2, kE5m2, kF32},
           {16, 8, 32, kF32, kE4m3, kE5m2, kF32},
           {16, 8, 32, kF32, kE5m2, kE4m3, kF32},
           {16, 8, 16, kF16, kE4m3, kE4m3, kF16},
       })
    for (int round = 0; round < 3; ++round) check_mma(t, false);
}

TEST_CASE("mma.sync of integers") {
  for (const ElementType& a : {kS8, kU8}) {
    for (const ElementType& b : {kS8, kU8}) {
      check_mma({8, 8, 16, kS32, a, b, kS32}, false);
      check_mma({16, 8, 16, kS32, a, b, kS32}, false);
      check_mma({16, 8, 32, kS32, a, b, kS32}, false);
      check_mma({16, 8, 32, kS32, a, b, kS32}, true);
      check_mma({16, 8, 32, kS32, a, b, kS32, ".satfinite"}, true);
    }
  }
  for (const ElementType& a : {kS4, kU4}) {
    check_mma({8, 8, 32, kS32, a, kS4, kS32}, false);
    check_mma({16, 8, 32, kS32, a, kU4, kS32}, false);
    check_mma({16, 8, 64, kS32, a, kS4, kS32, ".satfinite"}, true);
  }
  for (const std::string operation : {".and.popc", ".xor.popc"}) {
    check_mma({8, 8, 128, kS32, kB1, kB1, kS32, operation}, false);
    check_mma({16, 8, 128, kS32, kB1, kB1, kS32, operation}, false);
    check_mma({16, 8, 256, kS32, kB1, kB1, kS32, operation}, false);
  }
}

TEST_CASE("ldmatrix and stmatrix") {
  for (const int count : {1, 2, 4})
    for (const bool transposed : {false, true}) check_matrix_moves(count, transposed);
}

TEST_CASE("movmatrix") {
  LaneKernel k;
  k.inputs = k.outputs = 1;
  k.body = "movmatrix.sync.aligned.m8n8.trans.b16 %d0, %a0;";
  Lanes in(32);
  for (uint32_t& x : in) x = static_cast<uint32_t>(random_bits());
  const Lanes out = k.run({in})[0];
  const auto element = [](const Lanes& m, uint32_t r, uint32_t c) {
    return m[r * 4 + c / 2] >> (c % 2 * 16) & 0xFFFF;
  };
  for (uint32_t r = 0; r < 8; ++r)
    for (uint32_t c = 0; c < 8; ++c) CHECK(element(out, r, c) == element(in, c, r));
}

TEST_CASE("mma.sync from constants and in place") {
  LaneKernel k;
  k.inputs = 6;
  k.outputs = 4;
  k.body =
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%f0, %f1, %f2, %f3}, {%a0, %a1, %a2, %a3}, {%a4, "
      "%a5}, "
      "{0f00000000, 0f00000000, 0f3F800000, 0f00000000};\n"
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%f0, %f1, %f2, %f3}, {%a0, %a1, %a2, %a3}, {%a4, "
      "%a5}, "
      "{%f0, %f1, %f2, %f3};\n"
      "mov.b32 %d0, %f0;\nmov.b32 %d1, %f1;\nmov.b32 %d2, %f2;\nmov.b32 %d3, %f3;\n";
  const std::vector<Lanes> out = k.run(std::vector<Lanes>(6, Lanes(32, 0x3F800000u)));  // ones
  REQUIRE(k.error == 0);
  for (uint32_t lane = 0; lane < 32; ++lane) {
    CHECK(kF32.decode(out[0][lane]) == 16);
    CHECK(kF32.decode(out[2][lane]) == 17);
  }
}

}  // namespace vgpu::test
